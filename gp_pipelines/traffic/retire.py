"""Taking a slot away, in two steps: nothing may switch to it any more; then drain and remove."""

from gp_pipelines.errors import Refused
from gp_pipelines.model import Progress, Slot, SlotState
from gp_pipelines.targets.contract import Target
from gp_pipelines.traffic import colors, events, transitions
from gp_pipelines.traffic.conclude import require_confirmed
from gp_pipelines.traffic.fence import Hold


def retire(
    hold: Hold, target: Target, slot: Slot, drain_seconds: float, reason: str, progress: Progress
) -> None:
    """Retire a kept slot. May be called again where a killed run left it.

    Raises `Refused` if the slot is live, or traffic really goes to it, or while the last move is
    unconfirmed (traffic may have to go back); `FenceLost`.
    """
    reading = hold.read()
    require_confirmed(reading.record)
    _require_unused(slot, target)
    kept = reading.record.kept_slot(slot.name)
    if kept is not None and kept.state is not SlotState.RETIRING:
        hold.write(lambda record, now: transitions.retiring(record, slot.name))
    remove(hold, target, slot, drain_seconds, progress)
    if kept is not None:
        _leave_event(hold, target, slot, reason)
        hold.write(lambda record, now: transitions.forgotten(record, slot.name))


def remove(
    hold: Hold, target: Target, slot: Slot, drain_seconds: float, progress: Progress
) -> None:
    """Drain and remove a slot that the record does not keep (or keeps no longer)."""
    _require_unused(slot, target)
    hold.read()
    colors.clear(hold, target.traffic, slot)
    hold.read()
    target.slots.remove(slot.name, drain_seconds, progress)


def _require_unused(slot: Slot, target: Target) -> None:
    reading = target.traffic.read()
    live = reading.record.live
    behind = target.traffic.read_color(slot.color).slot_name
    in_use = live is not None and live.name == slot.name
    if in_use or (reading.observed is slot.color and behind == slot.name):
        raise Refused(
            f"{slot.name} takes traffic and is not removed.",
            state="Nothing was changed.",
            advice="See `gp status` for drift.",
        )


def _leave_event(hold: Hold, target: Target, slot: Slot, reason: str) -> None:
    reading = hold.read()
    live = events.describe(reading.record.live)
    events.write(
        target.ledger,
        events.Event(
            key=events.key("retire", reading.record.switched_at or reading.now, slot.release_id),
            what="retire",
            at=reading.now,
            before=live,
            after=live,
            release_id=slot.release_id,
            holder=hold.holder,
            reason=reason,
            facts={"retired": slot.describe(), "slot": slot.name},
        ),
    )
