"""Whether a service needs the reconciler now: looked at again and again, by a sensor.

A look never changes anything. What was seen of the fence's holder is kept between two looks, since
one look can't tell a living holder from a dead one.
"""

from dataclasses import dataclass, replace

from gp_pipelines import restrictions
from gp_pipelines.cleanup.reconcile import open_histories, unfinished
from gp_pipelines.errors import RecordLost
from gp_pipelines.platform import Platform
from gp_pipelines.traffic import events
from gp_pipelines.traffic.liveness import RENEW_SECONDS

# Silence that makes the holder worth a run. It is no proof of death: that run waits for the proof
# itself before it touches anything, and the two waits are not to add up.
SUSPECT_AFTER_SECONDS = 3 * RENEW_SECONDS
# What could not be ended is tried again, but is not to fill the run history.
AGAIN_AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last look saw. Times are seconds since the epoch."""

    fence: int = -1
    renewals: int | None = None
    since: float = 0.0  # when these renewals were first seen
    launched: float = 0.0  # the last run that was asked for


@dataclass(frozen=True, slots=True)
class Look:
    """`needed` says what is to be ended, empty if nothing is; `why_not` is for people."""

    seen: Seen
    needed: tuple[str, ...] = ()
    why_not: str = ""


def look(platform: Platform, before: Seen, now: float) -> Look:
    """Raises `TargetUnavailable` where the target cannot be read: nothing is known then."""
    traffic = platform.target.traffic
    try:
        reading = traffic.read()
    except RecordLost as lost:
        return _rarely(Look(before, (lost.what,)), before, now)
    record = reading.record
    beat = traffic.heartbeat() if record.holder else None
    seen = Seen(record.fence, beat.renewals if beat else None, now, before.launched)
    if (seen.fence, seen.renewals) == (before.fence, before.renewals):
        seen = replace(seen, since=before.since)
    if record.holder is not None and now - seen.since < SUSPECT_AFTER_SECONDS:
        return Look(seen, why_not=f"{record.holder.describe()} is at work, or was just now")
    if reading.edits:
        return Look(seen, why_not=f"changed by hand, a person has to decide: {reading.edits[0]}")
    needed = unfinished(record, platform.target.slots.list())
    begun = restrictions.restoring(platform.target.ledger)
    needed += [f"the restore is not ended: {begun.describe()}"] if begun else []
    needed += [
        f"release {release_id} has ended as {outcome}, and nobody has said so"
        for release_id, outcome in open_histories(record, platform.target.ledger).items()
    ]
    needed += [
        f"{event.what} of {event.release_id} is not in Dagster's history"
        for event in events.unrecorded(platform.target.ledger)
    ]
    return _rarely(Look(seen, tuple(needed), "nothing is unfinished"), before, now)


def _rarely(found: Look, before: Seen, now: float) -> Look:
    if not found.needed:
        return found
    if now - before.launched < AGAIN_AFTER_SECONDS:
        return Look(found.seen, why_not="a run was launched for it just now")
    return replace(found, seen=replace(found.seen, launched=now))
