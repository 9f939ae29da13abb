"""A rollback takes the fence from whoever has it, and what that one still does changes nothing."""

from dataclasses import replace

import pytest

from gp_pipelines.errors import FenceLost, GpError
from gp_pipelines.rollback.assessment import Already
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.programs import STEPS, Release
from gp_pipelines_tests.faults.story import Story
from gp_pipelines_tests.rollback.conftest import Gone


def reaching(story: Story, release: Release, step: str, calls: int = 2) -> None:
    """The release is in the middle of `step`, and lives."""
    run = story.begun(release)
    story.go_until(run, lambda: len(release.passed) == STEPS.index(step))
    run.go(calls)


@pytest.mark.parametrize("step", STEPS[1:6])
@pytest.mark.parametrize("calls", [1, 4, 7, 12])
def test_a_release_is_preempted_in_whatever_step_it_is(
    story: Story, gone: Gone, step: str, calls: int
) -> None:
    """The release that is under way is a third one; the one that is undone is live."""
    third = story.new("3")
    reaching(story, third, step, calls)
    assert third.run
    began = story.world.seconds
    back = story.roll_back(gone.release)
    assert isinstance(back.gave, RolledBack)
    assert story.world.seconds - began < 1  # nobody was waited for
    assert story.live.release_id == gone.old.release_id
    before = story.record
    third.run.finish()
    assert isinstance(third.run.error, GpError)
    same = replace(before, fence=story.record.fence, revision=story.record.revision)
    assert story.record == same
    story.run(programs.run_reconciler)
    story.clock.advance(100)
    story.run(programs.run_cleanup)
    assert story.standing == {story.live.name}
    assert story.outcome(third) == "failed"


@pytest.mark.parametrize("calls", range(30))
def test_a_release_that_plans_meanwhile_stops_or_plans_on_what_is_live_then(
    story: Story, gone: Gone, calls: int
) -> None:
    third = story.new("3")
    run = story.begun(third)
    run.go(calls)
    story.roll_back(gone.release)
    run.finish()
    if run.error is None:
        assert third.plan
        assert third.plan.live
        assert third.plan.live.release_id == gone.old.release_id
        assert story.live.version == "3"
    else:
        assert story.live.release_id == gone.old.release_id


@pytest.mark.parametrize("calls", range(44))
def test_a_release_is_undone_at_any_call_of_its_own_switch(
    story: Story, gone: Gone, calls: int
) -> None:
    """Before its move it is not live, so that the one before it is undone; after it, it is."""
    third = story.new("3")
    reaching(story, third, "switch", calls)
    assert third.run
    undone = story.live
    back = story.roll_back()
    assert isinstance(back.gave, RolledBack), back.error
    now = story.live
    assert now != undone
    third.run.finish()
    assert story.live == now
    story.run(programs.run_reconciler)
    assert (story.live, story.record.confirmed) == (now, True)
    assert story.record.undone == undone.release_id
    outcome = story.outcome(third if undone.version == "3" else gone.release)
    assert outcome == "rolled_back"


def test_the_late_writes_of_a_preempted_release_fail_closed(story: Story, gone: Gone) -> None:
    third = story.new("3")
    reaching(story, third, "switch", 8)
    story.roll_back(gone.release)
    assert third.run
    third.run.finish()
    assert isinstance(third.run.error, FenceLost)


def test_the_rollback_removes_what_the_preempted_release_had_started(
    story: Story, gone: Gone
) -> None:
    third = story.new("3")
    reaching(story, third, "smoke")
    assert third.plan
    assert third.plan.slot_name in story.standing
    story.roll_back(gone.release)
    assert third.plan.slot_name not in story.standing


def test_one_by_the_command_line_leaves_that_to_the_reconciler(story: Story, gone: Gone) -> None:
    third = story.new("3")
    reaching(story, third, "smoke")
    assert third.plan
    story.roll_back(gone.release, now=True)
    assert third.plan.slot_name in story.standing
    story.run(programs.run_reconciler)
    assert third.plan.slot_name not in story.standing


@pytest.mark.parametrize("calls", range(1, 14))
def test_a_release_that_goes_live_between_the_look_and_the_fence_is_not_undone(
    story: Story, gone: Gone, calls: int
) -> None:
    back = story.rollback(gone.release, by_alert=True)
    back.go(calls)
    story.release("3")
    back.finish()
    if story.live.version == "3":  # also where it had the fence, and was silent for 15 s
        assert isinstance(back.gave, Already) or isinstance(back.error, FenceLost)
    else:
        assert story.live == gone.old
    assert story.record.confirmed


def test_whoever_keeps_everybody_from_writing_is_ended(story: Story, gone: Gone) -> None:
    story.world.stuck = "process 4711"
    back = story.roll_back(gone.release)
    assert isinstance(back.gave, RolledBack)
    assert "ended process 4711" in back.said


def test_a_release_that_was_not_confirmed_yet_is_told_as_well(story: Story, gone: Gone) -> None:
    third = story.new("3")
    run = story.begun(third)
    story.go_until(run, lambda: story.live.version == "3")
    story.roll_back(third)
    run.finish()
    assert story.told == ["switch", "switch", "retire", "switch", "rollback"]
    assert story.live == gone.bad


def test_a_cleanup_and_a_reconciler_are_not_waited_for(story: Story, gone: Gone) -> None:
    story.clock.advance(61)
    for work in (programs.run_cleanup, programs.run_reconciler):
        busy = story.program(work)
        story.go_until(busy, lambda: story.record.holder is not None)
        began = story.world.seconds
        story.roll_back(gone.release)
        assert story.world.seconds - began < 1
        busy.finish()
    assert story.live.release_id == gone.old.release_id


def test_a_release_that_waits_loses_its_reservation_and_promote_names_the_rollback(
    story: Story, gone: Gone
) -> None:
    story.service = programs.a_service(retention_seconds=3600)
    third = story.release("3", manual=True)
    waiting = story.record.waiting
    assert waiting is not None
    back = story.roll_back(gone.release)
    assert back.error is None
    assert story.live.release_id == gone.old.release_id
    assert story.record.waiting is None
    promotion = story.run(programs.run_promotion)
    assert "rollback" in str(promotion.error)
    assert back.run_id in str(promotion.error)
    story.clock.advance(1)
    story.run(programs.run_cleanup)
    assert waiting.name not in story.standing
    assert story.outcome(third) == "rejected"
    reason = story.world.documents["releases", third.release_id]["reason"]
    assert reason.startswith(f"its reservation was ended by rollback #{gone.bad.number}")


def test_a_promotion_is_preempted_before_its_move(story: Story, gone: Gone) -> None:
    story.release("3", manual=True)
    promotion = story.program(programs.run_promotion)
    story.go_until(promotion, lambda: promotion.last_call == "write_color")
    assert story.record.live == gone.bad
    story.roll_back(gone.release)
    now = story.live
    promotion.finish()
    assert isinstance(promotion.error, GpError)
    assert (story.live, now.release_id) == (now, gone.old.release_id)


def test_a_second_rollback_of_a_release_waits_for_nobody_on_the_warm_way(
    story: Story, gone: Gone
) -> None:
    first = story.rollback(gone.release)
    story.go_until(first, lambda: first.last_call == "write_color")  # it shows that it lives
    second = story.roll_back(gone.release)
    assert isinstance(second.gave, RolledBack)
    first.finish()
    assert isinstance(first.error, FenceLost)
    assert (story.live, story.record.confirmed) == (gone.old, True)
    assert story.told.count("rollback") == 1


def test_what_the_first_of_two_says_at_its_end_does_not_hide_how_the_second_ended(
    story: Story, gone: Gone
) -> None:
    first = story.rollback(gone.release)
    story.go_until(first, lambda: story.record.holder is not None)
    second = story.roll_back(gone.release)
    first.finish()
    document = story.world.documents["rollbacks", gone.release.release_id]
    assert (document["outcome"], document["run_id"]) == ("done", second.run_id)


def cold(story: Story) -> None:
    story.clock.advance(61)
    story.run(programs.run_cleanup)


def test_a_cold_rollback_that_lives_is_left_alone_by_a_second_one_which_names_it(
    story: Story, gone: Gone
) -> None:
    cold(story)
    story.world.never_ready.add(gone.old.release_id)  # for as long as the story wants it
    first = story.rollback(gone.release)
    story.go_until(first, lambda: len(story.standing) == 2)
    second = story.roll_back(gone.release, by_alert=True)
    assert isinstance(second.gave, Already)
    assert second.gave.run_id == first.run_id
    assert first.run_id in second.gave.why
    assert story.record.holder is not None
    assert story.record.holder.run_id == first.run_id


def test_a_release_that_lives_is_not_left_alone_on_the_cold_way(story: Story, gone: Gone) -> None:
    cold(story)
    third = story.new("3")
    reaching(story, third, "smoke")
    began = story.world.seconds
    assert isinstance(story.roll_back(gone.release).gave, RolledBack)
    assert story.world.seconds - began < 1
    assert third.run
    third.run.finish()
    assert story.live.release_id == gone.old.release_id


def test_a_persons_now_takes_the_fence_from_a_living_rollback_and_goes_on_with_its_slot(
    story: Story, gone: Gone
) -> None:
    cold(story)
    first = story.rollback(gone.release)
    story.go_until(first, lambda: len(story.standing) == 2)
    now = story.roll_back(gone.release, now=True)
    assert isinstance(now.gave, RolledBack)
    assert story.live.name == f"{gone.old.name}-2"
    first.finish()
    assert isinstance(first.error, FenceLost)
    assert story.standing == {gone.bad.name, story.live.name}


def test_a_cold_rollback_that_ends_while_it_is_looked_at_is_not_counted_on(
    story: Story, gone: Gone
) -> None:
    """It has failed by then; the second one does what is left to do."""
    cold(story)
    story.world.never_ready.add(gone.old.release_id)
    first = story.rollback(gone.release)
    story.go_until(first, lambda: len(story.standing) == 2)
    second = story.rollback(gone.release)
    story.go_until(second, lambda: second.last_call == "sleep")
    story.go_until(first, lambda: story.record.holder is None)
    story.world.never_ready.clear()
    second.finish()
    assert isinstance(second.gave, RolledBack), second.gave
    assert story.live.release_id == gone.old.release_id


def test_a_cold_rollback_that_is_dead_is_gone_on_with_after_one_look(
    story: Story, gone: Gone
) -> None:
    cold(story)
    first = story.rollback(gone.release)
    story.go_until(first, lambda: len(story.standing) == 2)
    first.kill()
    began = story.world.seconds
    assert isinstance(story.roll_back(gone.release).gave, RolledBack)
    assert story.world.seconds - began < 5
