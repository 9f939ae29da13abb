"""The reconciler: ends what a dead run left, so that no crash needs a person.

`unfinished` only looks; `reconcile` acts under a fence that it was given. Both may be called at any
time: where nothing is unfinished nothing happens.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from gp_pipelines import history, restrictions
from gp_pipelines.errors import Refused
from gp_pipelines.model import Holder, KeptSlot, MovedBy, Progress, Slot, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.targets.contract import Ledger, SlotStatus
from gp_pipelines.traffic.conclude import confirm
from gp_pipelines.traffic.fence import Hold
from gp_pipelines.traffic.retire import remove, retire
from gp_pipelines.traffic.switch import switch_back
from gp_pipelines.traffic.verify import verify

Reconcile = Callable[[Hold, Platform, Progress], list[str]]


def unfinished(record: TrafficRecord, standing: Sequence[SlotStatus]) -> list[str]:
    """What a run has left behind, each in a sentence; of interest once no holder lives."""
    found = []
    if not record.confirmed:
        found.append("the last move of traffic was never confirmed")
    for kept in record.kept:
        if kept.state is SlotState.RETIRING:
            found.append(f"the retirement of {kept.slot.name} was not finished")
    found += [f"slot {slot.name} belongs to nothing" for slot in strays(record, standing)]
    if record.holder is not None:
        found.append(f"{record.holder.describe()} still holds the fence")
    return found


def strays(record: TrafficRecord, standing: Sequence[SlotStatus]) -> list[Slot]:
    """Slots that stand on the target and that the record does not know."""
    known = {kept.slot.name for kept in record.kept}
    if record.live is not None:
        known.add(record.live.name)
    if record.previous is not None:
        known.add(record.previous.name)
    return [status.slot for status in standing if status.slot.name not in known]


def open_histories(record: TrafficRecord, ledger: Ledger) -> dict[str, str]:
    """How the releases ended whose run did not say so; of interest once no holder lives.

    A release that was undone may have said at the last moment that it went through.
    """
    ends = {}
    for document in history.newest_first(ledger):
        release_id, said = document["release_id"], document["outcome"]
        ended = _ended_as(record, release_id, said)
        if ended != said:
            ends[release_id] = ended
    return ends


def reconciler(end_restore: Reconcile) -> Reconcile:
    """`reconcile`, which also ends a restore that a dead run has begun: first where its data are,
    and once the traffic is settled what works with the old ones.
    """

    def both(hold: Hold, platform: Platform, progress: Progress) -> list[str]:
        done = end_restore(hold, platform, progress)
        done += reconcile(hold, platform, progress)
        return done + end_restore(hold, platform, progress)

    return both


def reconcile(hold: Hold, platform: Platform, progress: Progress) -> list[str]:
    """End what dead runs left; returns what was done. Raises `FenceLost`.

    The order matters: first where traffic is, because nothing may be removed before that is
    settled.
    """
    done = []
    if not hold.read().record.confirmed:
        done.append(_settle_traffic(hold, platform, progress))
    reading = hold.read()
    if not reading.record.confirmed:
        return done
    drain = platform.service.timeouts.drain
    for kept in reading.record.kept:
        if kept.state is SlotState.RETIRING:
            retire(hold, platform.target, kept.slot, drain, "a dead run had begun to", progress)
            done.append(f"finished the retirement of {kept.slot.describe()}")
        elif _is_failed_and_due(kept, reading.now, hold.holder):
            why = _why_removed(reading.record, kept)
            retire(hold, platform.target, kept.slot, drain, why, progress)
            done.append(f"removed {kept.slot.describe()}, which a dead run had left")
    for slot in strays(hold.read().record, platform.target.slots.list()):
        if slot.release_id == hold.holder.release_id:
            continue  # a re-executed run goes on with the slot that its killed first run left
        remove(hold, platform.target, slot, drain, progress)
        done.append(f"removed {slot.name}, which a dead run had left")
    ledger = platform.target.ledger
    for release_id, outcome in open_histories(hold.read().record, ledger).items():
        if release_id != hold.holder.release_id or outcome == "rolled_back":
            history.ended(ledger, release_id, outcome, _why(hold.read().record, outcome))
            done.append(f"release {release_id} has ended: {outcome}")
    return done


def _is_failed_and_due(kept: KeptSlot, now: datetime, holder: Holder) -> bool:
    """As what was just switched back is, where nothing is kept to be looked at."""
    due = kept.deadline is not None and kept.deadline <= now
    return kept.state is SlotState.KEPT and due and kept.slot.release_id != holder.release_id


def _why_removed(record: TrafficRecord, kept: KeptSlot) -> str:
    if record.moved_by is MovedBy.RESTORE:
        return "its data are restored elsewhere"
    undone = record.moved_by is MovedBy.ROLLBACK and record.undone == kept.slot.release_id
    return "it was rolled back" if undone else "its release failed"


def _ended_as(record: TrafficRecord, release_id: str, outcome: str | None) -> str:
    if record.moved_by is MovedBy.ROLLBACK and record.undone == release_id:
        return "rolled_back"
    if outcome not in (None, "waiting"):
        return outcome
    if any(slot and slot.release_id == release_id for slot in (record.live, record.previous)):
        return "released"
    if record.waiting is not None and record.waiting.release_id == release_id:
        return "waiting"
    return "rejected" if outcome == "waiting" else "failed"


def _why(record: TrafficRecord, outcome: str) -> str:
    if record.moved_by is MovedBy.ROLLBACK and outcome in ("rolled_back", "rejected"):
        by = f" by {record.mover.describe()}" if record.mover else ""
        what = "its reservation was ended" if outcome == "rejected" else "it was rolled back"
        return what + by
    return "its run died before it could say so"


def _settle_traffic(hold: Hold, platform: Platform, progress: Progress) -> str:
    """Confirm the unconfirmed move, or switch a release back."""
    target, service = platform.target, platform.service
    reading = hold.read()
    record = reading.record
    live = record.live.describe() if record.live else "nothing"
    left = (record.confirm_by - reading.now).total_seconds() if record.confirm_by else 0.0
    patience = min(max(left, 1.0), service.timeouts.switch)
    seen = verify(
        target, record, service.identity.path, patience, clock=hold.clock, sleep=hold.sleep
    )
    if seen.passed:
        limit = service.alerts.max_automatic_rollbacks
        restrictions.stay_frozen(target.ledger, record, limit, reading.now)
        confirm(hold, target, "its run died before it could confirm")
        return f"verified and confirmed {live}, which a dead run had switched to"
    if record.moved_by is not MovedBy.RELEASE:
        return f"STILL UNVERIFIED after a {record.moved_by}: {live}: {seen.detail}"
    try:
        back = switch_back(hold, target, service, f"never verified: {seen.detail}", progress)
    except Refused as stays:
        return f"NOT SWITCHED BACK: {stays}"
    now_live = hold.read().record.live
    where = now_live.describe() if now_live else "nothing (503)"
    verified = "verified" if back.passed else f"NOT VERIFIED: {back.detail}"
    return f"switched {live} back to {where}, {verified}"
