"""Which slot's replicas stand behind a color, written under the fence.

The color's object is read first, then the fence, then it is written over that first reading: a run
that lost the fence in between conflicts with whoever stamped the color since, so a stale run can't
put its replicas under a color that is, or is about to be, live.
"""

from gp_pipelines.errors import Conflict, FenceLost, Refused
from gp_pipelines.model import Color, Slot
from gp_pipelines.targets.contract import ColorReading, TrafficStore
from gp_pipelines.traffic.fence import ATTEMPTS, Hold


def point(hold: Hold, store: TrafficStore, color: Color, slot: Slot | None) -> ColorReading:
    """Put `slot` (or nothing) behind `color`, stamped with this hold's fence.

    Raises `FenceLost` if another run holds the fence or has stamped the color, `Refused` if
    another slot on it is live, and `Conflict` when the color's object keeps changing.
    """
    for _ in range(ATTEMPTS):
        before = store.read_color(color)
        live = hold.read().record.live
        if live is not None and live.color is color and slot != live:
            raise Refused(
                f"{color} is live with {live.describe()} and must keep its replicas.",
                state="Nothing was changed.",
                advice="See `gp status`: the target has moved on since this run planned.",
            )
        if before.fence > hold.fence:
            raise _lost(color, before)
        try:
            return store.write_color(color, slot, hold.fence, before)
        except Conflict:  # a stale run's last write, or a hand: ours still counts, if we hold
            continue
    raise Conflict(
        f"What stands behind {color} keeps changing.",
        state="This run changed nothing of it.",
        advice="See `gp status` for drift, and try again.",
    )


def clear(hold: Hold, store: TrafficStore, slot: Slot) -> None:
    """Take `slot` from behind its color, if it is what stands there."""
    if store.read_color(slot.color).slot_name == slot.name:
        point(hold, store, slot.color, None)


def _lost(color: Color, found: ColorReading) -> FenceLost:
    return FenceLost(
        f"Another run has changed what stands behind {color}: {found.slot_name or 'nothing'}, "
        f"under fence {found.fence}.",
        state="This run changed nothing, and stops.",
        advice="See `gp status`.",
    )
