"""What a cleanup retires, and what it leaves."""

from dataclasses import replace

from gp_pipelines.errors import Busy
from gp_pipelines.model import MovedBy, SlotState
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.story import Story


def test_the_old_slot_is_retired_once_its_time_is_over_and_not_before(story: Story) -> None:
    story.release("1")
    old = story.live
    story.release("2")
    story.clock.advance(50)
    story.run(programs.run_cleanup)
    assert old.name in story.standing
    story.clock.advance(11)
    story.run(programs.run_cleanup)
    assert story.standing == {story.live.name}
    assert story.record.previous == old


def test_where_nothing_is_due_the_fence_is_not_taken(story: Story) -> None:
    story.release("1")
    before = story.record
    assert story.run(programs.run_cleanup).error is None
    assert story.record == before


def test_nothing_is_due_while_the_last_move_is_unconfirmed(story: Story) -> None:
    story.release("1")
    story.release("2")
    story.world.record = replace(story.record, confirmed=False, moved_by=MovedBy.ROLLBACK)
    story.clock.advance(100)
    before = story.record
    assert story.run(programs.run_cleanup).error is None
    assert (story.record, len(story.standing)) == (before, 2)


def test_a_release_at_work_is_not_disturbed(story: Story) -> None:
    story.release("1")
    story.release("2")
    story.clock.advance(100)
    run = story.begun(story.new("3"))
    story.go_until(run, lambda: story.record.releases == 3)
    cleanup = story.run(programs.run_cleanup)
    assert isinstance(cleanup.error, Busy)
    run.finish()
    assert story.live.version == "3"


def test_a_killed_cleanup_is_finished_by_the_next_reconciler(story: Story) -> None:
    story.release("1")
    story.release("2")
    story.clock.advance(100)
    run = story.program(programs.run_cleanup)
    story.go_until(run, lambda: story.record.kept[0].state is SlotState.RETIRING)
    run.kill()
    story.run(programs.run_reconciler)
    assert story.standing == {story.live.name}
    assert story.record.kept == ()
