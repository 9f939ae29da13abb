"""The move of the traffic to the slot that works with restored data.

That write is what decides: before it a restore is undone, from it on it is finished. Never switched
back, since what was live before works with data that nothing is written to any more.
"""

from gp_pipelines.model import Progress, Slot
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Target
from gp_pipelines.traffic import colors, transitions
from gp_pipelines.traffic.fence import Hold
from gp_pipelines.traffic.switch import require_switchable


def move_to_restored(
    hold: Hold, target: Target, service: Service, to: Slot, progress: Progress
) -> None:
    """Send traffic to `to`, which was proved on its preview; it is to be verified then.

    Raises `Refused` or `StepFailed` where it can't take the traffic, `FenceLost`.
    """
    require_switchable(target, hold.read().record, to)
    colors.point(hold, target.traffic, to.color, to)
    hold.write(
        lambda record, now: transitions.restored(
            record, to, now, confirm_seconds=service.confirm_seconds
        )
    )
    progress(f"traffic was sent to {to.describe()}, with the restored data")
