"""A retirement: told before it is done, and never of what takes traffic."""

from dataclasses import replace

import pytest

from gp_pipelines.errors import Refused
from gp_pipelines.model import Color, MovedBy, Slot, SlotState
from gp_pipelines.services import Service
from gp_pipelines.traffic.fence import take
from gp_pipelines.traffic.retire import remove, retire
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.faults.programs import holder_of
from gp_pipelines_tests.faults.story import Story, Work


def retiring(slot: Slot) -> Work:
    def work(program: Program, service: Service) -> None:
        hold = take(
            program.target.traffic,
            holder_of(program, "release"),
            program.progress,
            clock=program.monotonic,
            sleep=program.sleep,
        )
        try:
            retire(hold, program.target, slot, 3, "a test", program.progress)
        finally:
            hold.leave()

    return work


def removing(slot: Slot) -> Work:
    def work(program: Program, service: Service) -> None:
        hold = take(
            program.target.traffic,
            holder_of(program, "release"),
            program.progress,
            clock=program.monotonic,
            sleep=program.sleep,
        )
        try:
            remove(hold, program.target, slot, 3, program.progress)
        finally:
            hold.leave()

    return work


@pytest.fixture
def old(story: Story) -> Slot:
    """What was live before the present release: warm."""
    story.release("1")
    old = story.live
    story.release("2")
    return old


def test_nothing_may_switch_to_the_slot_before_it_is_removed(story: Story, old: Slot) -> None:
    run = story.program(retiring(old))
    story.go_until(run, lambda: story.record.kept[0].state is SlotState.RETIRING)
    assert old.name in story.standing
    run.finish()
    assert old.name not in story.standing
    assert story.record.kept == ()
    assert story.told[-1] == "retire"
    assert story.record.previous == old  # what a cold rollback brings up again


def test_nothing_stands_behind_the_color_any_more(story: Story, old: Slot) -> None:
    story.run(retiring(old))
    assert story.world.colors[old.color].slot_name is None


def test_a_killed_retirement_is_told_once(story: Story, old: Slot) -> None:
    run = story.program(retiring(old))
    story.go_until(run, lambda: "retire" in story.told)
    run.kill()
    story.run(retiring(old))
    assert story.told.count("retire") == 1
    assert story.record.kept == ()


@pytest.mark.parametrize("work", [retiring, removing])
def test_the_live_slot_is_never_removed(story: Story, work: object, old: Slot) -> None:
    run = story.run(work(story.live))  # type: ignore[operator]
    assert isinstance(run.error, Refused)
    assert story.live.name in story.standing


@pytest.mark.parametrize("work", [retiring, removing])
def test_a_slot_that_really_takes_traffic_is_not_removed_whatever_the_record_says(
    story: Story, work: object, old: Slot
) -> None:
    story.world.observed = old.color
    run = story.run(work(old))  # type: ignore[operator]
    assert isinstance(run.error, Refused)
    assert old.name in story.standing
    assert story.record.kept[0].state is SlotState.WARM


def test_nothing_is_retired_while_the_last_move_is_unconfirmed(story: Story, old: Slot) -> None:
    story.world.record = replace(story.record, confirmed=False, moved_by=MovedBy.ROLLBACK)
    run = story.run(retiring(old))
    assert isinstance(run.error, Refused)
    assert old.name in story.standing
    assert old.color is Color.BLUE
