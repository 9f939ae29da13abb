"""What alerts, and rollbacks that were left half-way, ask for now. Looks, and changes nothing.

What was launched is remembered by release: `Memory` is the sensor's cursor.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.errors import quoted
from gp_pipelines.model import TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.rollback.guards import MOST_ATTEMPTS, Situation, judge, situation
from gp_pipelines.rollback.request import AlertSeen, RollbackRequest
from gp_pipelines.traffic.liveness import RENEW_SECONDS

# A launched run that has not begun by then was lost by Dagster, and is launched again.
LOST_AFTER_SECONDS = 20.0
# What has come by the webhook is launched by the webhook's own process, at once. It says so, or
# that it could not; after longer than that it has died.
PUSHED_WITHIN_SECONDS = 10.0
DEAD_AFTER_SECONDS = 3 * RENEW_SECONDS  # of a rollback's run: another one can do no harm
MOST_LAUNCHES = 5  # for one release


@dataclass(frozen=True, slots=True)
class Launched:
    """How often a run was launched to undo a release, and when last (seconds since the epoch)."""

    count: int = 0
    at: float = 0.0


@dataclass
class Memory:
    """Of one service: what was launched by release, and what was seen of a holder."""

    launched: dict[str, Launched] = field(default_factory=dict)
    fence: int = -1
    renewals: int | None = None
    since: float = 0.0  # when these renewals were first seen
    told: list[str] = field(default_factory=list)  # alerts of which a dry run has told


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rollback that is to be launched, or only to be told of (`dry_run`)."""

    service: str
    request: RollbackRequest
    launches: int  # how often that was asked before
    alert: Alert | None = None

    @property
    def key(self) -> str:
        return f"{self.service}:{self.request.release_id}:{self.launches}"


@dataclass(frozen=True, slots=True)
class Look:
    """`wanted` to be launched, `dry` to be told of, and why for everything else."""

    wanted: Wanted | None = None
    dry: Wanted | None = None
    notes: tuple[str, ...] = ()


def look(
    platform: Platform,
    alerts: Iterable[Alert],
    memory: Memory,
    now: float,
    *,
    pushed: bool = False,
) -> Look:
    """What is to be done for one service. Updates `memory`. Raises `TargetUnavailable`.

    `pushed`: asked by the webhook's process, for what it has just accepted.
    """
    there = _without_dead(platform, situation(platform), memory, now)
    unfinished = _unfinished(there, memory)
    if unfinished is not None:
        begun = there.rollback.attempts if there.rollback else 0
        return _launch(unfinished, memory, now, begun)
    whys: Counter[str] = Counter()
    for alert in sorted(alerts, key=lambda each: each.starts_at):
        verdict = judge(alert, there)
        if not verdict.launch:
            whys[verdict.why] += 1
            continue
        wanted = _wanted(alert, there, memory)
        if there.service.alerts.dry_run:
            return _dry(wanted, alert, memory)
        if not pushed and _is_pushed(alert, now):
            whys["it came by the webhook, which launches the run itself"] += 1
            continue
        return _launch(wanted, memory, now)
    return Look(notes=tuple(_counted(why, count) for why, count in whys.items()))


def _is_pushed(alert: Alert, now: float) -> bool:
    young = now - alert.seen_at.timestamp() < PUSHED_WITHIN_SECONDS
    return alert.feed == "webhook" and alert.launched is None and young


def _without_dead(platform: Platform, there: Situation, memory: Memory, now: float) -> Situation:
    """A rollback whose run shows no sign of life has failed, though nobody has said so."""
    found = there.rollback
    if found is None or found.outcome is not None:
        return there
    if not _is_silent(platform, there.record, memory, now):
        return there
    died = replace(found, outcome="failed", error=f"run {found.run_id} has died")
    return replace(there, rollback=died)


def _unfinished(there: Situation, memory: Memory) -> Wanted | None:
    """A rollback of what is still live, by an alert, that has failed. A person's is a person's."""
    found = there.rollback
    if found is None or found.outcome != "failed" or not found.alert:
        return None
    if found.attempts >= MOST_ATTEMPTS or there.record.previous is None:
        return None
    request = RollbackRequest(found.release_id, found.reason, AlertSeen(**found.alert))
    return Wanted(there.service.name, request, _launches(memory, found.release_id))


def _is_silent(platform: Platform, record: TrafficRecord, memory: Memory, now: float) -> bool:
    """Whether whoever holds the fence has not renewed for a while; nobody is silent, too."""
    beat = platform.target.traffic.heartbeat() if record.holder else None
    seen = (record.fence, beat.renewals if beat else None)
    if seen != (memory.fence, memory.renewals):
        memory.fence, memory.renewals = seen
        memory.since = now
    return now - memory.since >= DEAD_AFTER_SECONDS


def _wanted(alert: Alert, there: Situation, memory: Memory) -> Wanted:
    assert there.record.live is not None
    release_id = there.record.live.release_id
    seen = AlertSeen(
        feed=alert.feed,
        name=quoted(alert.name),
        fingerprint=alert.fingerprint,
        starts_at=alert.starts_at.isoformat(),
        seen_at=alert.seen_at.isoformat(),
        decided_at=there.now.isoformat(),
    )
    reason = f"{seen.name} ({alert.feed}) fires since {alert.starts_at:%H:%M:%S} UTC"
    request = RollbackRequest(release_id, reason, seen)
    return Wanted(there.service.name, request, _launches(memory, release_id), alert)


def _launch(wanted: Wanted, memory: Memory, now: float, begun: int = 0) -> Look:
    """`begun` runs have come to it: once they all have, the next one is launched at once."""
    release_id = wanted.request.release_id
    before = memory.launched.get(release_id, Launched())
    by_webhook = wanted.alert.launched if wanted.alert else None
    if by_webhook and not before.count:
        memory.launched[release_id] = Launched(1, now)
        return Look(notes=(f"run {by_webhook} was launched for it by the webhook",))
    if before.count > begun and now - before.at < LOST_AFTER_SECONDS:
        return Look(notes=("a run was launched for it just now",))
    if before.count >= MOST_LAUNCHES:
        return Look(notes=(f"{before.count} runs were launched for it, and none has come to it",))
    memory.launched = {release_id: Launched(before.count + 1, now)}
    return Look(wanted=wanted)


def _dry(wanted: Wanted, alert: Alert, memory: Memory) -> Look:
    """Told once for each alert."""
    key = f"{alert.fingerprint}:{alert.starts_at.isoformat()}"
    note = f"dry run: {quoted(alert.name)} would have undone {wanted.request.release_id}"
    if key in memory.told:
        return Look(notes=(note,))
    memory.told = [*memory.told, key][-20:]
    return Look(dry=wanted, notes=(note,))


def _launches(memory: Memory, release_id: str) -> int:
    return memory.launched.get(release_id, Launched()).count


def _counted(why: str, count: int) -> str:
    return why if count == 1 else f"{count} alerts: {why}"
