"""How a move of traffic is concluded: first its event is left, then it is confirmed.

Whoever concludes it (the run that made it, or a reconciler after that run's death) leaves the same
event, under the same key, once.
"""

from gp_pipelines.errors import Refused
from gp_pipelines.model import MovedBy, Slot, TrafficRecord
from gp_pipelines.targets.contract import Reading, Target
from gp_pipelines.traffic import events, transitions
from gp_pipelines.traffic.fence import Hold

EVENT = {
    MovedBy.RELEASE: "switch",
    MovedBy.SWITCH_BACK: "switch_back",
    MovedBy.ROLLBACK: "rollback",
    MovedBy.REPAIR: "repair",
}


def confirm(hold: Hold, target: Target, reason: str = "") -> Reading:
    """The last move stands: nothing switches it back by itself any more."""
    leave_event(hold, target, hold.read().record, reason)
    return hold.write(lambda record, now: transitions.confirmed(record))


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
            holder=hold.holder,
            reason=reason,
        ),
    )
    return key


def _moved_release(record: TrafficRecord) -> str | None:
    """The release that the move was about: the one that went live, or the one that was undone."""
    return record.undone or (record.live.release_id if record.live else None)


def _before(record: TrafficRecord) -> Slot | None:
    """What was live before the last move, as far as the record still knows it."""
    if record.undone is None:
        return record.previous
    return next((k.slot for k in record.kept if k.slot.release_id == record.undone), None)
