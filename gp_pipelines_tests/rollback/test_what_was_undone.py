"""The bad version afterwards: kept to be looked at, reached by no user, removed in the end."""

from datetime import timedelta

from gp_pipelines.model import SlotState
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.story import Story
from gp_pipelines_tests.rollback.conftest import Gone


def keep(story: Story, seconds: float) -> None:
    story.service = programs.a_service(keep_failed_seconds=seconds)


def test_it_stays_for_as_long_as_the_service_says_and_no_user_reaches_it(
    story: Story, gone: Gone
) -> None:
    keep(story, 200)
    story.roll_back(gone.release)
    kept = story.record.kept_slot(gone.bad.name)
    assert kept is not None
    assert story.record.switched_at is not None
    assert kept.state is SlotState.KEPT
    assert kept.deadline == story.record.switched_at + timedelta(seconds=200)
    story.clock.advance(199)
    story.run(programs.run_cleanup)
    story.run(programs.run_reconciler)
    assert gone.bad.name in story.standing
    answers = story.target.entrance.ask("/", fresh=5, kept_alive=5)
    assert {answer.release_id for answer in answers} == {gone.old.release_id}
    assert story.target.slots.logs(gone.bad.name)


def test_then_the_cleanup_removes_it(story: Story, gone: Gone) -> None:
    keep(story, 200)
    story.roll_back(gone.release)
    story.clock.advance(201)
    story.run(programs.run_cleanup)
    assert story.standing == {gone.old.name}
    assert story.record.kept == ()


def test_where_nothing_is_kept_the_next_cleanup_removes_it(story: Story, gone: Gone) -> None:
    story.roll_back(gone.release)
    assert gone.bad.name in story.standing  # its logs are read by the run itself
    story.run(programs.run_cleanup)
    assert story.standing == {gone.old.name}


def test_the_fix_takes_its_color_at_once(story: Story, gone: Gone) -> None:
    keep(story, 200)
    story.roll_back(gone.release)
    story.release("3")
    assert story.live.color is gone.bad.color
    assert gone.bad.name not in story.standing


def test_a_rollback_of_the_fix_goes_back_to_what_was_live_before_it(
    story: Story, gone: Gone
) -> None:
    story.roll_back(gone.release)
    fix = story.release("3")
    assert story.roll_back(fix).error is None
    assert story.live == gone.old
