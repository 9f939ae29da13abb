"""Bringing a slot up behind a color that is not live: start it, wait for it, show its preview."""

from dataclasses import replace
from itertools import count

from gp_pipelines.errors import StepFailed
from gp_pipelines.model import Color, Progress, Slot, TrafficRecord, short_id
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Launch, SlotStatus, Target
from gp_pipelines.traffic import colors
from gp_pipelines.traffic.fence import Hold

POLL_SECONDS = 0.1
TELL_SECONDS = 2.0
# A replica that has died this often while it was being started will not get better by waiting.
CRASHES = 3
PREVIEW_SECONDS = 10.0


def bring_up(
    hold: Hold, target: Target, service: Service, slot: Slot, launch: Launch, progress: Progress
) -> SlotStatus:
    """Start `slot` (or what of it does not run), until all replicas are ready, and its preview
    answers with it. Raises `StepFailed`, `FenceLost`.
    """
    hold.read()
    progress(f"starting {slot.replicas} replicas of {slot.version} on {slot.color}")
    target.slots.start(slot, launch)
    status = _wait_until_ready(hold, target, slot, service.timeouts.deploy, progress)
    colors.point(hold, target.traffic, slot.color, slot)
    wait_for_preview(hold, target, service.identity.path, slot)
    return status


def slot_again(target: Target, record: TrafficRecord, old: Slot, color: Color) -> Slot:
    """`old` in a new slot on `color`: the same release, under a name that nobody has."""
    taken = {each.slot.name for each in target.slots.list()} | {k.slot.name for k in record.kept}
    names = (f"{record.service}-{color}-{short_id(old.release_id)}-{n}" for n in count(2))
    return replace(old, name=next(name for name in names if name not in taken), color=color)


def wait_for_preview(hold: Hold, target: Target, path: str, slot: Slot) -> None:
    """Until the preview's answers come from this slot, and from nothing older.

    Raises `StepFailed`.
    """
    deadline = hold.clock() + PREVIEW_SECONDS
    while True:
        answers = target.entrance.ask(
            path, fresh=slot.replicas * 2, kept_alive=0, preview=slot.color
        )
        if all(
            answer.ok and (answer.release_id or slot.release_id) == slot.release_id
            for answer in answers
        ):
            return
        if hold.clock() > deadline:
            wrong = next((a for a in answers if not a.ok), answers[0])
            said = wrong.detail or f"status {wrong.status}"
            raise _failed(slot, f"The preview does not answer with it: {said}")
        hold.sleep(POLL_SECONDS)


def _wait_until_ready(
    hold: Hold, target: Target, slot: Slot, timeout: float, progress: Progress
) -> SlotStatus:
    start = told = hold.clock()
    while True:
        status = target.slots.get(slot.name)
        if status is not None and status.ready >= slot.replicas:
            progress(f"{status.ready}/{slot.replicas} replicas ready")
            return status
        waited = hold.clock() - start
        crashing = [r for r in status.replicas if r.restarts >= CRASHES] if status else []
        if crashing:
            raise _failed(slot, f"{crashing[0].name} keeps dying: {crashing[0].detail}")
        ready = status.ready if status else 0
        if waited > timeout:
            stuck = next((r.detail for r in status.replicas if not r.ready), "") if status else ""
            raise _failed(
                slot, f"{ready}/{slot.replicas} replicas were ready after {timeout:g} s: {stuck}"
            )
        if hold.clock() - told > TELL_SECONDS:
            told = hold.clock()
            progress(f"{ready}/{slot.replicas} replicas ready after {waited:.0f} s")
        hold.sleep(POLL_SECONDS)


def _failed(slot: Slot, why: str) -> StepFailed:
    return StepFailed(
        f"{slot.describe()} did not come up. {why}",
        state="Traffic is where it was.",
        advice="The replicas' last log lines are with this step.",
    )
