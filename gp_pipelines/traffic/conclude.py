"""How a move of traffic is concluded: what follows from it is left first, then it is confirmed.

Whoever concludes it (the run that made it, or a reconciler after that run's death) leaves the same
event, under the same key, once.
"""

from gp_pipelines import history, restrictions, rollbacks
from gp_pipelines.errors import Refused
from gp_pipelines.model import MovedBy, Slot, TrafficRecord
from gp_pipelines.restrictions import Quarantine
from gp_pipelines.targets.contract import Reading, Target
from gp_pipelines.traffic import events, transitions
from gp_pipelines.traffic.fence import Hold

EVENT = {
    MovedBy.RELEASE: "switch",
    MovedBy.SWITCH_BACK: "switch_back",
    MovedBy.ROLLBACK: "rollback",
    MovedBy.RESTORE: "restore",
    MovedBy.REPAIR: "repair",
}


def confirm(hold: Hold, target: Target, reason: str = "") -> Reading:
    """The last move stands: nothing switches it back by itself any more.

    A rollback has put what it undid into quarantine by then, and is done, whoever concludes it.
    """
    reading = hold.read()
    record = reading.record
    if record.moved_by is MovedBy.ROLLBACK and record.undone is not None:
        condemn(hold, target, reason)
        rollbacks.ended(target.ledger, record.undone, "done", reading.now)
    leave_event(hold, target, record, reason)
    return hold.write(lambda record, now: transitions.confirmed(record))


def condemn(hold: Hold, target: Target, reason: str = "") -> Slot | None:
    """Put what the last rollback undid into quarantine, and end its release's history so.

    Returns its slot; None where the record no longer knows it.
    """
    reading = hold.read()
    undone = _undone(reading.record)
    if undone is None:
        return None
    mover = reading.record.mover or hold.holder
    ledger = target.ledger
    if not restrictions.is_quarantined(ledger, undone.digest, undone.config_hash):
        why = reason or f"release #{undone.number} was rolled back"
        found = Quarantine(
            undone.version, undone.digest, undone.config_hash, mover.actor, why, reading.now
        )
        restrictions.quarantine(ledger, found)
    history.ended(ledger, undone.release_id, "rolled_back", reason)
    return undone


def require_confirmed(record: TrafficRecord) -> None:
    """Raise `Refused` while the last move is unconfirmed: nothing may be built on it."""
    if not record.confirmed:
        raise Refused(
            f"The last move of {record.service}'s traffic could not be verified yet.",
            state="Nothing was changed.",
            advice=f"See `gp status {record.service}`: the entrance or the live slot needs a look.",
        )


def leave_event(hold: Hold, target: Target, record: TrafficRecord, reason: str = "") -> str:
    """Leave the event of `record`'s last move, if it is not there yet. Returns its key."""
    if record.moved_by is None or record.switched_at is None:
        raise ValueError(f"the traffic of {record.service} was never moved")
    what = EVENT[record.moved_by]
    release_id = _moved_release(record) or ""
    key = events.key(what, record.switched_at, release_id or "none")
    events.write(
        target.ledger,
        events.Event(
            key=key,
            what=what,
            at=record.switched_at,
            before=events.describe(_before(record)),
            after=events.describe(record.live),
            release_id=release_id,
            holder=record.mover or hold.holder,
            reason=reason,
        ),
    )
    return key


def _moved_release(record: TrafficRecord) -> str | None:
    """The release that the move was about: the one that went live, or the one that was undone."""
    return record.undone or (record.live.release_id if record.live else None)


def _before(record: TrafficRecord) -> Slot | None:
    """What was live before the last move, as far as the record still knows it."""
    if record.moved_by is MovedBy.RESTORE:  # it stood on the other color
        live = record.live
        return next((k.slot for k in record.kept if live and k.slot.color is not live.color), None)
    return record.previous if record.undone is None else _undone(record)


def _undone(record: TrafficRecord) -> Slot | None:
    return next((k.slot for k in record.kept if k.slot.release_id == record.undone), None)
