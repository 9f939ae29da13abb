"""Bringing the new slot up on the idle color, and keeping it there for the steps that need it."""

from gp_pipelines import launch_recipe
from gp_pipelines.errors import Refused
from gp_pipelines.model import Artifact, Plan, Slot, SlotState
from gp_pipelines.release.attempt import Attempt
from gp_pipelines.targets.contract import SlotStatus
from gp_pipelines.traffic import bring_up as traffic_bring_up
from gp_pipelines.traffic.fence import Hold
from gp_pipelines.traffic.retire import remove, retire


def bring_up(attempt: Attempt, hold: Hold, plan: Plan, artifact: Artifact) -> SlotStatus:
    """Clear the idle color, start the slot, wait until all replicas are ready, put it behind.

    Raises `StepFailed`.
    """
    platform = attempt.platform
    slot = plan.slot(artifact)
    _clear_idle_color(attempt, hold, slot)
    standing = platform.target.slots.get(slot.name)
    if standing is not None and standing.slot != slot:
        attempt.progress(f"removing {slot.name}, left by an earlier run of this release")
        drain = platform.service.timeouts.drain
        remove(hold, platform.target, standing.slot, drain, attempt.progress)
    recipe = platform.recipe(artifact)
    launch_recipe.remember(platform.target.ledger, plan.release_id, recipe)
    return traffic_bring_up.bring_up(
        hold, platform.target, platform.service, slot, platform.launch(recipe), attempt.progress
    )


def ensure_up(attempt: Attempt, hold: Hold, plan: Plan, artifact: Artifact) -> SlotStatus:
    """The slot as it is if all is well; else brought up again (a re-executed run needs that)."""
    target = attempt.platform.target
    slot = plan.slot(artifact)
    status = target.slots.get(slot.name)
    behind = target.traffic.read_color(slot.color).slot_name
    same = status is not None and status.slot == slot and behind == slot.name
    if status is not None and same and status.ready >= slot.replicas:
        return status
    attempt.progress(f"{slot.name} is not up as it was: bringing it up again")
    return bring_up(attempt, hold, plan, artifact)


def _clear_idle_color(attempt: Attempt, hold: Hold, new: Slot) -> None:
    """Retire what the idle color holds. From here to the switch a rollback is cold."""
    for kept in hold.read().record.kept:
        if kept.slot.color is not new.color or kept.slot == new:
            continue
        if kept.state is SlotState.WAITING:
            raise Refused(
                f"{kept.slot.describe()} waits on {new.color} to be promoted.",
                state="Nothing was changed.",
                advice=f"First `gp promote` or `gp reject {attempt.platform.service.name}`.",
            )
        attempt.progress(f"retiring {kept.slot.describe()} to free {new.color}")
        drain = attempt.platform.service.timeouts.drain
        why = "its color is needed"
        retire(hold, attempt.platform.target, kept.slot, drain, why, attempt.progress)
