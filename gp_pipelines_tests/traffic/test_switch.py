"""The switch: what it refuses, and how traffic comes back when it can't be verified."""

from datetime import timedelta

import pytest

from gp_pipelines.errors import FenceLost, StepFailed
from gp_pipelines.model import MovedBy, SlotState
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.fake_target import with_ready
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.faults.programs import Release
from gp_pipelines_tests.faults.story import Story


def about_to_switch(story: Story, release: Release) -> Program:
    run = story.begun(release)
    story.go_until(run, lambda: release.next_step == "switch")
    return run


def switched(story: Story, release: Release) -> Program:
    """Traffic has moved, and nothing is verified yet."""
    run = story.begun(release)
    story.go_until(run, lambda: not story.record.confirmed)
    return run


def test_one_write_moves_traffic_and_stores_all_that_a_crash_must_not_lose(story: Story) -> None:
    story.release("1")
    old = story.live
    switched(story, story.new("2"))
    record = story.record
    assert (record.previous, record.moved_by, record.confirmed) == (old, MovedBy.RELEASE, False)
    assert record.switched_at is not None
    assert record.confirm_by == record.switched_at + timedelta(seconds=5)
    kept = record.kept_slot(old.name)
    assert kept is not None
    assert kept.state is SlotState.WARM
    assert kept.deadline == record.switched_at + timedelta(seconds=60)


def test_a_slot_with_too_few_ready_replicas_gets_no_traffic(story: Story) -> None:
    story.release("1")
    release = story.new("2")
    run = about_to_switch(story, release)
    assert release.plan
    name = release.plan.slot_name
    # It was up when the step looked, and is not any more at the moment of the switch.
    story.go_until(run, lambda: run.last_call == "get slot")
    story.go_until(run, lambda: run.last_call == "read")
    story.world.slots[name] = with_ready(story.world.slots[name], 1)
    run.finish()
    assert isinstance(run.error, StepFailed)
    assert story.live.version == "1"


def test_traffic_that_cannot_be_verified_goes_back_and_both_moves_are_told(story: Story) -> None:
    story.release("1")
    old = story.live
    release = story.release("2", "broken")
    assert release.run
    assert isinstance(release.run.error, StepFailed)
    assert f"Traffic is back on {old.describe()}, verified" in str(release.run.error)
    assert (story.live, story.record.previous, story.record.confirmed) == (old, None, True)
    assert (story.record.moved_by, story.record.undone) == (
        MovedBy.SWITCH_BACK,
        release.release_id,
    )
    assert story.told == ["switch", "switch", "switch_back", "retire"]


def test_a_first_release_that_cannot_be_verified_goes_back_to_nothing(story: Story) -> None:
    story.release("1", "broken")
    assert (story.record.live, story.record.confirmed, story.standing) == (None, True, set())
    assert story.target.entrance.ask("/", fresh=1, kept_alive=0)[0].status == 503
    assert story.release("1", redeploy=True).run.error is None  # type: ignore[union-attr]


def test_an_interrupt_during_the_verification_sends_traffic_back(story: Story) -> None:
    story.release("1")
    old = story.live
    run = switched(story, story.new("2"))
    run.go(5)
    run.interrupt()
    run.finish()
    assert isinstance(run.error, KeyboardInterrupt)
    assert (story.live, story.record.confirmed, story.standing) == (old, True, {old.name})
    assert story.told == ["switch", "switch", "switch_back", "retire"]


def test_a_switch_that_loses_the_fence_undoes_nothing(story: Story) -> None:
    story.release("1")
    run = switched(story, story.new("2", "broken"))
    story.run(lambda program, service: programs.seize_fence(program))
    before = story.record
    run.finish()
    # Its slot may be gone when it looks, before it would look at its fence.
    assert isinstance(run.error, FenceLost | StepFailed)
    assert story.record == before


def test_traffic_stays_where_the_old_slot_has_no_replica_to_go_back_to(story: Story) -> None:
    story.release("1")
    old = story.live
    run = switched(story, story.new("2", "broken"))
    story.world.slots[old.name] = with_ready(story.world.slots[old.name], 0)
    run.finish()
    assert "no ready replica to go back to" in str(run.error)
    assert (story.live.version, story.record.confirmed) == ("2", False)
    assert old.name in story.standing


def test_traffic_goes_back_to_what_is_left_of_the_old_slot(story: Story) -> None:
    story.release("1")
    old = story.live
    run = switched(story, story.new("2", "broken"))
    story.world.slots[old.name] = with_ready(story.world.slots[old.name], 1)
    run.finish()
    assert story.live == old


def test_a_move_that_is_edited_by_hand_is_not_written_over(story: Story) -> None:
    story.release("1")
    run = switched(story, story.new("2", "broken"))
    story.world.edits = ("A person sends the traffic to green.",)
    run.finish()
    assert "was changed by hand" in str(run.error)
    assert story.live.version == "2"


def test_the_answer_to_the_switch_is_lost_and_the_run_sends_traffic_back(story: Story) -> None:
    story.release("1")
    run = about_to_switch(story, story.new("2"))
    story.world.answers_lost = 1
    run.finish()
    assert run.error is not None
    assert (story.live.version, story.record.confirmed) == ("1", True)


@pytest.mark.parametrize("calls", range(0, 36, 3))
def test_a_frozen_run_that_wakes_up_late_changes_no_traffic(story: Story, calls: int) -> None:
    story.release("1")
    run = about_to_switch(story, story.new("2"))
    run.go(calls)
    run.freeze()
    story.clock.advance(20)
    story.run(programs.run_reconciler)
    before = story.record
    run.wake()
    run.finish()
    # Its slot may be gone when it looks, before it would look at its fence.
    assert isinstance(run.error, FenceLost | StepFailed)
    assert story.record == before
