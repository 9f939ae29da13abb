"""The switch: stamp, compare-and-swap, verify, confirm; or go back.

The only code that sends users somewhere else. A crash between any two lines leaves a record from
which the reconciler can confirm or switch back (see `cleanup/reconcile.py`).
"""

from dataclasses import dataclass

from gp_pipelines.errors import FenceLost, Refused, StepFailed
from gp_pipelines.model import MovedBy, Progress, Slot, SlotState, TrafficRecord
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Target
from gp_pipelines.traffic import colors, transitions
from gp_pipelines.traffic.conclude import confirm, leave_event, require_confirmed
from gp_pipelines.traffic.fence import Hold
from gp_pipelines.traffic.verify import Verification, verify


@dataclass(frozen=True, slots=True)
class Switched:
    """A confirmed move of traffic."""

    before: Slot | None
    after: Slot | None
    write_ms: float  # the compare-and-swap itself
    verified_ms: float  # from the start of the write until every answer came from `after`
    first_new_ms: float | None  # until the first answer that did
    asked: int
    lost: int  # failed requests: our own, and those that the entrance counted meanwhile
    event_key: str

    def facts(self) -> dict[str, float | int]:
        """For people and programs; milliseconds count from the start of the write."""
        first = self.first_new_ms if self.first_new_ms is not None else self.verified_ms
        return {
            "write (ms)": round(self.write_ms, 1),
            "first new answer (ms)": round(first, 1),
            "all new, verified (ms)": round(self.verified_ms, 1),
            "requests asked to verify": self.asked,
            "requests lost": self.lost,
        }


def switch(hold: Hold, target: Target, service: Service, to: Slot, progress: Progress) -> Switched:
    """Move traffic to `to` and confirm it; switch back if it cannot be verified.

    Raises `Refused` if `to` may not be switched to, `StepFailed` after a switch back (or where
    even that was not possible: the message says where traffic is), `FenceLost`.
    """
    before = hold.read().record
    require_switchable(target, before, to)
    colors.point(hold, target.traffic, to.color, to)
    lost_before = target.entrance.lost()
    start = hold.clock()
    moved = hold.write(
        lambda record, now: transitions.switched(
            record,
            to,
            now,
            confirm_seconds=service.confirm_seconds,
            retention_seconds=service.retention_seconds,
        )
    )
    write_ms = (hold.clock() - start) * 1000
    progress(f"traffic was sent to {to.describe()}; asking the entrance")
    try:
        seen = verify(
            target,
            moved.record,
            service.identity.path,
            min(service.timeouts.switch, service.confirm_seconds),
            clock=hold.clock,
            sleep=hold.sleep,
        )
        event_key = leave_event(hold, target, moved.record)
        if not seen.passed:
            raise StepFailed(
                f"{to.describe()} could not be verified after the switch: {seen.detail}."
            )
        report = Switched(
            before=before.live,
            after=to,
            write_ms=write_ms,
            verified_ms=write_ms + seen.seconds * 1000,
            first_new_ms=write_ms + seen.first_ms if seen.first_ms is not None else None,
            asked=seen.asked,
            lost=seen.failed + _lost_since(target, lost_before),
            event_key=event_key,
        )
        confirm(hold, target)
    except FenceLost:
        raise
    except BaseException as error:
        if hold.read().record.confirmed:  # by the very write that was interrupted: it stands
            raise
        failure = _went_back(hold, target, service, progress, error)
        if isinstance(error, Exception):
            raise failure from error
        progress(str(failure))  # interrupted: Dagster must see the interrupt itself
        raise
    return report


def switch_back(
    hold: Hold, target: Target, service: Service, reason: str, progress: Progress
) -> Verification:
    """Undo an unconfirmed release: traffic goes to `previous`, or to nothing for a first release.

    Never undone itself: if it can't be verified it stays unconfirmed, which is reported, and the
    reconciler verifies it again. Raises `Refused` when the move was confirmed, or the old slot has
    no ready replica: traffic stays then.
    """
    record = hold.read().record
    if record.confirmed or record.moved_by is not MovedBy.RELEASE:
        raise Refused(
            f"The last move of {record.service} is no unconfirmed release: it is not undone.",
            state=f"Traffic stays on {record.live.describe() if record.live else 'nothing'}.",
        )
    old, bad = record.previous, record.live
    if old is not None:
        status = target.slots.get(old.name)
        if status is None or status.ready == 0:
            raise Refused(
                f"{old.describe()} has no ready replica to go back to.",
                state=f"Traffic stays on {bad.describe() if bad else 'nothing'}, unconfirmed.",
                advice=f"Look at it now: `gp status {service.name}`, `gp logs {service.name}`.",
            )
        colors.point(hold, target.traffic, old.color, old)
    moved = hold.write(
        lambda record, now: transitions.switched_back(
            record,
            now,
            confirm_seconds=service.confirm_seconds,
            keep_failed_seconds=service.keep_failed_seconds,
        )
    )
    progress(f"traffic was sent back to {old.describe() if old else 'nothing (503)'}")
    for move, why in ((record, ""), (moved.record, reason)):  # the one that is undone too
        leave_event(hold, target, move, why)
    seen = verify(
        target,
        moved.record,
        service.identity.path,
        service.timeouts.switch,
        clock=hold.clock,
        sleep=hold.sleep,
    )
    if seen.passed:
        confirm(hold, target)
    return seen


def require_switchable(target: Target, record: TrafficRecord, to: Slot) -> None:
    """Raise `Refused` where `to` may not take the traffic, `StepFailed` where it can't."""
    require_confirmed(record)
    kept = record.kept_slot(to.name)
    if kept is not None and kept.state not in (SlotState.WAITING, SlotState.WARM):
        raise Refused(
            f"{to.describe()} is {kept.state} and may not take traffic.",
            state="Traffic is where it was.",
            advice="Release it again.",
        )
    if record.live is not None and record.live.color is to.color:
        raise Refused(
            f"{to.describe()} stands on {to.color}, which is live with {record.live.describe()}.",
            state="Traffic is where it was.",
            advice="The target has moved on since this release planned: start it again.",
        )
    new = target.slots.get(to.name)
    ready = new.ready if new and new.slot == to else 0
    old = target.slots.get(record.live.name) if record.live else None
    needed = max(old.ready if old else 0, to.replicas)
    if ready < needed:
        raise StepFailed(
            f"{to.describe()} has {ready} ready replicas and needs {needed} to take the traffic.",
            state="Traffic is where it was.",
            advice=f"See `gp logs {record.service}`.",
        )


def _went_back(
    hold: Hold, target: Target, service: Service, progress: Progress, error: BaseException
) -> StepFailed:
    progress(f"not confirmed ({error}); switching back")
    why = str(error) or type(error).__name__
    try:
        seen = switch_back(hold, target, service, why, progress)
    except Refused as stays:
        return StepFailed(f"{why}\n{stays}")
    where = hold.read().record.live
    now_live = where.describe() if where else "nothing (503)"
    if seen.passed:
        return StepFailed(why, state=f"Traffic is back on {now_live}, verified.")
    return StepFailed(
        why,
        state=f"Traffic was sent back to {now_live}; that could not be verified: {seen.detail}.",
        advice=f"Look at it now: `gp status {service.name}`.",
    )


def _lost_since(target: Target, before: int | None) -> int:
    after = target.entrance.lost()
    return after - before if before is not None and after is not None and after > before else 0
