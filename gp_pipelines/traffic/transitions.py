"""Every change of the traffic record, as pure functions from record to record.

Who may make a change, and the compare-and-swap itself, are `fence.py`'s. What holds after each
change whatever came before is what the state-machine test checks. `now` is the target's time.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from gp_pipelines.model import (
    AutomaticRollback,
    Holder,
    KeptSlot,
    MovedBy,
    Slot,
    SlotState,
    TrafficRecord,
)

# Of automatic rollbacks: as many as may happen in a day at most.
REMEMBERED = 50


def taken(record: TrafficRecord, holder: Holder) -> TrafficRecord:
    """`holder` takes the fence: whoever had it can change nothing from here on."""
    return replace(record, fence=record.fence + 1, holder=holder)


def left(record: TrafficRecord) -> TrafficRecord:
    """The holder is done; the fence number stays, so that its late writes still fail."""
    return replace(record, holder=None)


def numbered(record: TrafficRecord) -> TrafficRecord:
    """A new release got the next short number."""
    return replace(record, releases=record.releases + 1)


def switched(
    record: TrafficRecord,
    to: Slot,
    now: datetime,
    *,
    confirm_seconds: float,
    retention_seconds: float,
) -> TrafficRecord:
    """A release moves traffic to `to`. One write holds all that a crash must not lose."""
    kept = _without(record.kept, to.name)
    if record.live is not None:
        deadline = now + timedelta(seconds=retention_seconds)
        kept = (*kept, KeptSlot(record.live, SlotState.WARM, deadline))
    return replace(
        record,
        live=to,
        previous=record.live,
        moved_by=MovedBy.RELEASE,
        mover=record.holder,
        switched_at=now,
        confirmed=False,
        confirm_by=now + timedelta(seconds=confirm_seconds),
        undone=None,
        kept=kept,
    )


def confirmed(record: TrafficRecord) -> TrafficRecord:
    """Verification passed: the move stands."""
    return replace(record, confirmed=True, confirm_by=None)


def switched_back(
    record: TrafficRecord,
    now: datetime,
    *,
    confirm_seconds: float,
    keep_failed_seconds: float,
) -> TrafficRecord:
    """Undo the last release: traffic goes to `previous` (or to nothing, for a first release)."""
    return _went_back(record, now, MovedBy.SWITCH_BACK, confirm_seconds, keep_failed_seconds)


def rolled_back(
    record: TrafficRecord,
    now: datetime,
    *,
    automatic: bool,
    confirm_seconds: float,
    keep_failed_seconds: float,
) -> TrafficRecord:
    """Undo the live release, confirmed or not: traffic goes to `previous`.

    A release that waits to be promoted loses its reservation: it was proved beside the one that is
    undone. The write also counts the rollback, if an alert asked for it.
    """
    assert record.live is not None
    assert record.previous is not None
    deadline = now + timedelta(seconds=keep_failed_seconds)
    kept = tuple(
        KeptSlot(k.slot, SlotState.KEPT, deadline) if k.state is SlotState.WAITING else k
        for k in record.kept
    )
    counted = (AutomaticRollback(record.live.release_id, now),) if automatic else ()
    return replace(
        _went_back(
            replace(record, kept=kept),
            now,
            MovedBy.ROLLBACK,
            confirm_seconds,
            keep_failed_seconds,
        ),
        automatic=(*record.automatic, *counted)[-REMEMBERED:],
    )


def restoring(record: TrafficRecord, slot: Slot, now: datetime, seconds: float) -> TrafficRecord:
    """`slot` is being brought up, to be gone back to in place of the present `previous`.

    From here on a killed rollback's retry finds it, and carries on with it.
    """
    kept = KeptSlot(slot, SlotState.WARM, now + timedelta(seconds=seconds))
    return replace(record, previous=slot, kept=(*_without(record.kept, slot.name), kept))


def restored(
    record: TrafficRecord, to: Slot, now: datetime, *, confirm_seconds: float
) -> TrafficRecord:
    """A restore moves traffic to `to`, the only slot that works with the restored data.

    Whatever stands beside it works with the old ones: nothing goes back there, and it is due.
    """
    kept = _without(record.kept, to.name)
    if record.live is not None:
        kept = (*kept, KeptSlot(record.live, SlotState.KEPT, now))
    return replace(
        record,
        live=to,
        previous=None,
        moved_by=MovedBy.RESTORE,
        mover=record.holder,
        switched_at=now,
        confirmed=False,
        confirm_by=now + timedelta(seconds=confirm_seconds),
        undone=None,
        kept=tuple(
            k if k.state is SlotState.RETIRING else KeptSlot(k.slot, SlotState.KEPT, now)
            for k in kept
        ),
    )


def _went_back(
    record: TrafficRecord,
    now: datetime,
    moved_by: MovedBy,
    confirm_seconds: float,
    keep_failed_seconds: float,
) -> TrafficRecord:
    """`previous` is empty afterwards, so that nothing can go back onto what was just undone."""
    undone = record.live
    kept = record.kept
    if record.previous is not None:
        kept = _without(kept, record.previous.name)
    if undone is not None:
        deadline = now + timedelta(seconds=keep_failed_seconds)
        kept = (*_without(kept, undone.name), KeptSlot(undone, SlotState.KEPT, deadline))
    return replace(
        record,
        live=record.previous,
        previous=None,
        moved_by=moved_by,
        mover=record.holder,
        switched_at=now,
        confirmed=False,
        confirm_by=now + timedelta(seconds=confirm_seconds),
        undone=undone.release_id if undone else None,
        kept=kept,
    )


def retiring(record: TrafficRecord, name: str) -> TrafficRecord:
    """The first step of a retirement: from here on nothing may switch to the slot.

    If it was what a rollback would have gone back to, a rollback is cold now.
    """
    kept = tuple(
        replace(k, state=SlotState.RETIRING) if k.slot.name == name else k for k in record.kept
    )
    return replace(record, kept=kept)


def forgotten(record: TrafficRecord, name: str) -> TrafficRecord:
    """The slot is gone from the target."""
    return replace(record, kept=_without(record.kept, name))


def waiting(record: TrafficRecord, slot: Slot) -> TrafficRecord:
    """The release is proved and waits for a person: its slot is reserved."""
    return replace(
        record, kept=(*_without(record.kept, slot.name), KeptSlot(slot, SlotState.WAITING, None))
    )


def kept_failed(
    record: TrafficRecord, slot: Slot, now: datetime, keep_failed_seconds: float
) -> TrafficRecord:
    """A failed slot stays for a while, so that a person can look at it."""
    deadline = now + timedelta(seconds=keep_failed_seconds)
    return replace(
        record,
        kept=(*_without(record.kept, slot.name), KeptSlot(slot, SlotState.KEPT, deadline)),
    )


def observed_adopted(record: TrafficRecord, live: Slot | None, now: datetime) -> TrafficRecord:
    """A person declares where the traffic goes to be what is wanted."""
    if live == record.live:
        return record
    kept = _without(record.kept, live.name) if live else record.kept
    return replace(
        record,
        live=live,
        previous=None,
        moved_by=MovedBy.REPAIR,
        mover=record.holder,
        switched_at=now,
        confirmed=True,
        confirm_by=None,
        undone=None,
        kept=kept,
    )


def _without(kept: tuple[KeptSlot, ...], name: str) -> tuple[KeptSlot, ...]:
    return tuple(k for k in kept if k.slot.name != name)
