"""Bringing the new slot up on the idle color, and keeping it there for the steps that need it."""

from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.model import Artifact, Plan, Slot, SlotState
from gp_pipelines.release.attempt import Attempt
from gp_pipelines.targets.contract import SlotStatus
from gp_pipelines.traffic import colors
from gp_pipelines.traffic.fence import Hold
from gp_pipelines.traffic.retire import remove, retire

POLL_SECONDS = 0.1
TELL_SECONDS = 2.0
# A replica that has died this often while it was being started will not get better by waiting.
CRASHES = 3
PREVIEW_SECONDS = 10.0


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
    hold.read()
    attempt.progress(f"starting {slot.replicas} replicas of {slot.version} on {slot.color}")
    platform.target.slots.start(slot, platform.launch(artifact))
    status = _wait_until_ready(attempt, hold, slot, platform.service.timeouts.deploy)
    colors.point(hold, platform.target.traffic, slot.color, slot)
    _wait_for_preview(attempt, hold, slot)
    return status


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


def _wait_until_ready(attempt: Attempt, hold: Hold, slot: Slot, timeout: float) -> SlotStatus:
    slots = attempt.platform.target.slots
    start = told = hold.clock()
    while True:
        status = slots.get(slot.name)
        if status is not None and status.ready >= slot.replicas:
            attempt.progress(f"{status.ready}/{slot.replicas} replicas ready")
            return status
        waited = hold.clock() - start
        crashing = [r for r in status.replicas if r.restarts >= CRASHES] if status else []
        if crashing:
            raise _failed(attempt, slot, f"{crashing[0].name} keeps dying: {crashing[0].detail}")
        if waited > timeout:
            ready = status.ready if status else 0
            stuck = next((r.detail for r in status.replicas if not r.ready), "") if status else ""
            raise _failed(
                attempt,
                slot,
                f"{ready}/{slot.replicas} replicas were ready after {timeout:g} s: {stuck}",
            )
        if hold.clock() - told > TELL_SECONDS:
            told = hold.clock()
            ready = status.ready if status else 0
            attempt.progress(f"{ready}/{slot.replicas} replicas ready after {waited:.0f} s")
        hold.sleep(POLL_SECONDS)


def _failed(attempt: Attempt, slot: Slot, why: str) -> StepFailed:
    return StepFailed(
        f"{slot.describe()} did not come up. {why}",
        state="Traffic is where it was.",
        advice="The replicas' last log lines are with this step.",
    )


def _wait_for_preview(attempt: Attempt, hold: Hold, slot: Slot) -> None:
    """Until the preview's answers come from this slot, and from nothing older."""
    platform = attempt.platform
    deadline = hold.clock() + PREVIEW_SECONDS
    while True:
        answers = platform.target.entrance.ask(
            platform.service.identity.path,
            fresh=slot.replicas * 2,
            kept_alive=0,
            preview=slot.color,
        )
        if all(
            answer.ok and (answer.release_id or slot.release_id) == slot.release_id
            for answer in answers
        ):
            return
        if hold.clock() > deadline:
            wrong = next((a for a in answers if not a.ok), answers[0])
            raise _failed(
                attempt,
                slot,
                f"The preview does not answer with it: {wrong.detail or f'status {wrong.status}'}",
            )
        hold.sleep(POLL_SECONDS)
