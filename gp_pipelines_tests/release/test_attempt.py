"""How a release ends that does not come to its end, and how its run is executed again."""

import pytest

from gp_pipelines.errors import FenceLost, Refused
from gp_pipelines.model import SlotState
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.programs import STEPS
from gp_pipelines_tests.faults.story import Story


def test_a_failed_release_removes_its_slot(story: Story) -> None:
    story.release("1")
    live = story.live
    failed = story.release("2", "fails_smoke")
    assert story.outcome(failed) == "failed"
    assert (story.live, story.standing) == (live, {live.name})
    assert story.record.holder is None


def test_a_failed_slot_is_kept_for_as_long_as_the_service_says_and_then_retired(
    story: Story,
) -> None:
    story.service = programs.a_service(keep_failed_seconds=20)
    story.release("1", "fails_smoke")
    (kept,) = story.record.kept
    assert kept.state is SlotState.KEPT
    assert story.standing == {kept.slot.name}
    story.clock.advance(21)
    story.run(programs.run_cleanup)
    assert not story.standing
    assert not story.record.kept


@pytest.mark.parametrize("calls", range(1, 400, 13))
def test_an_interrupt_at_any_call_leaves_a_release_that_stands_or_nothing_of_it(
    story: Story, calls: int
) -> None:
    story.release("1")
    old = story.live
    release = story.new("2")
    run = story.begun(release)
    run.go(calls)
    run.interrupt()
    run.finish()
    assert story.record.confirmed
    assert story.record.holder is None
    if story.live == old:
        story.clock.advance(100)
        story.run(programs.run_cleanup)
        assert story.standing == {old.name}
    else:
        assert story.outcome(release) == "released"


def test_an_interrupt_after_the_confirmation_does_not_send_traffic_back(story: Story) -> None:
    story.release("1")
    release = story.new("2")
    run = story.begun(release)
    story.go_until(run, lambda: not story.record.confirmed)
    story.go_until(run, lambda: story.record.confirmed)
    run.interrupt()
    run.finish()
    assert isinstance(run.error, KeyboardInterrupt)
    assert (story.live.version, story.outcome(release)) == ("2", "released")


def test_whoever_lost_the_fence_undoes_nothing(story: Story) -> None:
    run = story.begun(story.new("1"))
    story.go_until(run, lambda: story.standing)
    story.run(lambda program, service: programs.seize_fence(program))
    before = story.record
    run.finish()
    assert isinstance(run.error, FenceLost)
    assert (story.record, len(story.standing)) == (before, 1)


@pytest.mark.parametrize("step", STEPS[1:7])
def test_a_killed_run_is_gone_on_with_from_the_step_in_which_it_died(
    story: Story, step: str
) -> None:
    story.release("1")
    release = story.new("2")
    run = story.begun(release)
    story.go_until(run, lambda: release.next_step == step)
    run.go(2)
    run.kill()
    again = story.again(release, step)
    assert again.error is None
    assert (story.live.version, story.live.number) == ("2", 2)


def test_a_slot_that_is_gone_is_brought_up_again(story: Story) -> None:
    release = story.release("1", "fails_smoke")
    assert not story.standing
    story.world.fails_smoke.clear()
    assert story.again(release, "smoke").error is None
    assert story.live.release_id == release.release_id


def test_a_failed_slot_that_is_kept_is_gone_on_with(story: Story) -> None:
    story.service = programs.a_service(keep_failed_seconds=20)
    release = story.release("1", "fails_smoke")
    story.world.fails_smoke.clear()
    assert story.again(release, "smoke").error is None
    assert story.live.release_id == release.release_id
    assert not story.record.kept


def test_a_run_is_not_gone_on_with_once_something_else_is_live(story: Story) -> None:
    failed = story.release("1", "fails_smoke")
    story.release("2")
    again = story.again(failed, "smoke")
    assert isinstance(again.error, Refused)
    assert "has moved on since release #1 was planned" in str(again.error)
    assert story.standing == {story.live.name}


def test_a_run_is_not_gone_on_with_while_another_release_waits(story: Story) -> None:
    failed = story.release("1", "fails_smoke")
    story.release("2", manual=True)
    assert "waits to be promoted" in str(story.again(failed, "smoke").error)


@pytest.mark.parametrize("step", STEPS[1:7])
def test_a_release_that_is_live_does_not_run_its_steps_again(story: Story, step: str) -> None:
    release = story.release("1")
    before = story.live
    again = story.again(release, step)
    assert "live already" in str(again.error)
    assert (story.live, story.standing) == (before, {before.name})
    assert story.outcome(release) == "released"


def test_the_deadline_is_shown_again_for_a_release_that_is_live(story: Story) -> None:
    story.release("1")
    release = story.release("2")
    assert story.again(release, "schedule_cleanup").error is None
    story.clock.advance(100)
    story.run(programs.run_cleanup)
    assert story.again(release, "schedule_cleanup").error is None
    assert len(story.standing) == 1


def test_the_deadline_of_a_release_that_was_undone_is_refused(story: Story) -> None:
    story.release("1")
    undone = story.release("2", "broken")
    assert "is not live" in str(story.again(undone, "schedule_cleanup").error)


def test_a_step_that_was_left_out_stops_the_switch(story: Story) -> None:
    release = story.new("1")
    run = story.begun(release)
    story.go_until(run, lambda: release.next_step == "smoke")
    run.kill()
    again = story.again(release, "switch")
    assert "no evidence of smoke" in str(again.error)
    assert story.record.live is None
