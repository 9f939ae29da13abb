"""What is true of a service now, read from its target alone: it works when Dagster is down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gp_pipelines import contractions, history, restrictions, rollbacks
from gp_pipelines.alerts.watched import why_not_watched
from gp_pipelines.databases import proofs
from gp_pipelines.errors import GpError
from gp_pipelines.model import Holder, Slot, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.restrictions import Quarantine
from gp_pipelines.rollbacks import Rollback
from gp_pipelines.targets.contract import SlotStatus
from gp_pipelines.traffic.liveness import shows_life

RUNS = 5
# By what the fence's holder is doing: the words of `state`.
AT_WORK = {
    "release": "releasing",
    "promote": "releasing",
    "rollback": "rolling_back",
    "restore": "restoring",
}


@dataclass(frozen=True, slots=True)
class StandingSlot:
    """A slot and how it is; `state` is live, warm, waiting, retiring, kept or starting."""

    slot: Slot
    state: str
    ready: int
    deadline: datetime | None
    replicas: tuple[str, ...]  # each in a sentence


@dataclass(frozen=True, slots=True)
class Closed:
    """From when on, and why, a rollback to the previous version is refused."""

    schema: str
    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service. `error` says why nothing else is known."""

    name: str
    state: str  # none, releasing, rolling_back, restoring, waiting, unconfirmed, live, unknown
    flags: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    record: TrafficRecord | None = None
    slots: tuple[StandingSlot, ...] = ()
    holder: Holder | None = None
    holder_lives: bool = False
    entrance: str | None = None
    preview: str | None = None
    rollback: str = "none"  # warm, cold, none
    rollback_closed: Closed | None = None  # the present schema is not for the previous version
    now: datetime | None = None  # the target's time
    runs: tuple[Mapping[str, Any], ...] = ()  # the last releases, newest first
    remarks: tuple[str, ...] = ()  # why it is frozen, snoozed or not watched
    quarantines: tuple[Quarantine, ...] = ()
    rollbacks: tuple[Rollback, ...] = ()  # the last ones, newest first
    problems: tuple[str, ...] = ()  # what does not work now, each as an error says it
    error: str = ""

    def standing(self, state: str) -> StandingSlot | None:
        return next((each for each in self.slots if each.state == state), None)

    @property
    def live(self) -> StandingSlot | None:
        return self.standing("live")

    @property
    def idle(self) -> StandingSlot | None:
        """What stands on the color that is not live, the newest of it."""
        live = self.live
        others = [each for each in self.slots if live is None or each.slot.color != live.slot.color]
        return max(others, key=lambda each: each.slot.number, default=None)

    @property
    def previous(self) -> StandingSlot | None:
        """What a rollback goes back to, also where it does not stand any more."""
        slot = self.record.previous if self.record else None
        if slot is None:
            return None
        found = next((each for each in self.slots if each.slot.name == slot.name), None)
        return found or StandingSlot(slot, "gone", 0, None, ())


def read_status(platform: Platform) -> ServiceStatus:
    """Never raises for a target that is down: the status says so."""
    name = platform.service.name
    try:
        return _read(platform)
    except GpError as error:
        return ServiceStatus(name, "unknown", error=str(error))


def _read(platform: Platform) -> ServiceStatus:
    target = platform.target
    reading = target.traffic.read()
    record = reading.record
    standing = tuple(_standing(status, record) for status in target.slots.list())
    lives = record.holder is not None and shows_life(target.traffic, record)
    idle = record.live.color.other if record.live else None
    behind = target.traffic.read_color(idle).slot_name if idle else None
    restricted = _restricted(platform, record, reading.now)
    being_restored = restrictions.restoring(target.ledger)
    closed = _closed_by_schema(platform, record)
    return ServiceStatus(
        name=platform.service.name,
        state=_state(record, lives, being_restored is not None),
        flags=tuple(restricted) + (("drift",) if reading.edits else ()),
        drift=reading.edits,
        record=record,
        slots=standing,
        holder=record.holder,
        holder_lives=lives,
        entrance=target.entrance.url,
        preview=target.entrance.preview_url(idle) if idle and behind else None,
        rollback="none" if closed else _rollback(record, standing),
        rollback_closed=closed,
        now=reading.now,
        problems=tuple(_problems(platform, record)),
        remarks=(
            *([being_restored.describe()] if being_restored else []),
            *(remark for remark in restricted.values() if remark),
            *_held_contraction(platform, record),
        ),
        quarantines=tuple(restrictions.quarantines(target.ledger)),
        rollbacks=tuple(rollbacks.newest_first(target.ledger)[:RUNS]),
        runs=tuple(history.newest_first(target.ledger)[:RUNS]),
    )


def _restricted(platform: Platform, record: TrafficRecord, now: datetime) -> Mapping[str, str]:
    """What holds for the service, by its flag, each with a sentence for people (or none)."""
    ledger, found = platform.target.ledger, {}
    limit = platform.service.alerts.max_automatic_rollbacks
    freeze = restrictions.frozen(ledger, record, limit, now)
    if freeze is not None:
        found["frozen"] = f"frozen by {freeze.by}, no release may begin: {freeze.reason}"
    snooze = restrictions.snoozed(ledger, now)
    if snooze is not None:
        found["snoozed"] = (
            f"alerts are snoozed by {snooze.by} until {snooze.until:%H:%M} UTC: {snooze.reason}"
        )
    if record.live is not None:
        bakes = platform.service.bake_seconds - _seconds_live(record, now)
        if record.previous is not None and bakes > 0:
            found["baking"] = f"bakes for {bakes:.0f} s more: no release takes its old slot"
        why_not = why_not_watched(ledger, now)
        if why_not:
            found["not_watched"] = f"not watched, no alert rolls it back: {why_not}"
    return found


def _seconds_live(record: TrafficRecord, now: datetime) -> float:
    return (now - record.switched_at).total_seconds() if record.switched_at else 0.0


def _problems(platform: Platform, record: TrafficRecord) -> Iterator[str]:
    target, database = platform.target, platform.database
    undoing = rollbacks.found(target.ledger, record.live.release_id) if record.live else None
    if undoing is not None and undoing.outcome in ("failed", "refused"):
        times = f"{undoing.attempts} times" if undoing.attempts > 1 else "once"
        yield f"A ROLLBACK of it {undoing.outcome} ({times}): {undoing.error}"
    try:
        target.require_up()
        if record.revision and not target.traffic.in_force(record):
            yield "The entrance does not send traffic as the record says (yet)."
    except GpError as error:
        yield str(error)
    try:
        if database is not None:
            database.require_up()
    except GpError as error:
        yield str(error)


def _standing(status: SlotStatus, record: TrafficRecord) -> StandingSlot:
    slot = status.slot
    kept = record.kept_slot(slot.name)
    is_live = record.live is not None and record.live.name == slot.name
    state = "live" if is_live else kept.state.value if kept else "starting"
    replicas = tuple(f"{each.name}: {each.detail}" for each in status.replicas)
    return StandingSlot(slot, state, status.ready, kept.deadline if kept else None, replicas)


def _state(record: TrafficRecord, holder_lives: bool, being_restored: bool) -> str:
    if record.holder is not None and holder_lives and record.holder.kind in AT_WORK:
        return AT_WORK[record.holder.kind]
    if being_restored:
        return "restoring"
    if record.waiting is not None:
        return "waiting"
    if record.live is None:
        return "none"
    return "live" if record.confirmed else "unconfirmed"


def _held_contraction(platform: Platform, record: TrafficRecord) -> Iterator[str]:
    live = record.live
    seen = contractions.found(platform.target.ledger, live.release_id) if live else None
    if seen is not None and seen.held:
        yield (
            f"The contract phase of {seen.version} waits for a person: {seen.held} "
            f"`gp contract {record.service}` goes on with it."
        )


def _closed_by_schema(platform: Platform, record: TrafficRecord) -> Closed | None:
    """A database that does not answer closes nothing: a rollback asks it again."""
    if platform.database is None or record.previous is None:
        return None
    try:
        schema = platform.database.schema()
    except GpError:
        return None
    proof = proofs.found(platform.target.ledger, record.previous, schema)
    if proof is None or proof.works:
        return None
    return Closed(schema.name, proof.at, proof.why)


def _rollback(record: TrafficRecord, standing: tuple[StandingSlot, ...]) -> str:
    if record.previous is None:
        return "none"
    kept = record.kept_slot(record.previous.name)
    found = next((each for each in standing if each.slot.name == record.previous.name), None)
    warm = kept is not None and kept.state is SlotState.WARM
    return "warm" if warm and found and found.ready >= found.slot.replicas else "cold"
