"""What a person has changed by hand, or deleted, stops no rollback, and never turns it around."""

import pytest

from gp_pipelines.model import Color, TrafficRecord
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.fake_target import with_ready
from gp_pipelines_tests.faults.story import Story
from gp_pipelines_tests.rollback.conftest import Gone


class Users:
    """Where users were sent, each time that changed."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self.went = [self.now]
        story.world.watchers.append(self._look)

    @property
    def now(self) -> Color | None:
        world = self._story.world
        live = world.record.live
        return None if world.edits and not world.observed else (world.observed or live.color)  # type: ignore[union-attr]

    def _look(self, what: str, before: TrafficRecord) -> None:
        if self.now != self.went[-1]:
            self.went.append(self.now)


@pytest.mark.parametrize("by_alert", [True, False])
@pytest.mark.parametrize("observed", ["old", "bad", "both"])
def test_an_edit_by_hand_stops_no_rollback(
    story: Story, gone: Gone, observed: str, by_alert: bool
) -> None:
    story.world.edit({"old": gone.old.color, "bad": gone.bad.color, "both": None}[observed])
    run = story.roll_back(gone.release, by_alert=by_alert)
    assert isinstance(run.gave, RolledBack)
    assert (story.live, story.record.confirmed, story.world.edits) == (gone.old, True, ())
    assert (story.record.undone, story.record.previous) == (gone.release.release_id, None)
    assert len(story.record.automatic) == by_alert


def test_users_whom_a_person_sent_to_the_old_version_are_never_sent_back(
    story: Story, gone: Gone
) -> None:
    story.world.edit(gone.old.color)
    users = Users(story)
    assert story.roll_back(gone.release).error is None
    assert users.went == [gone.old.color]


@pytest.mark.parametrize("calls", range(0, 60, 2))
def test_not_even_by_one_that_is_killed_and_tried_again(
    story: Story, gone: Gone, calls: int
) -> None:
    story.world.edit(gone.old.color)
    users = Users(story)
    run = story.rollback(gone.release, by_alert=True)
    run.go(calls)
    run.kill()
    story.roll_back(gone.release, by_alert=True)
    story.run(programs.run_reconciler)
    assert users.went == [gone.old.color]
    assert (story.live, story.record.confirmed) == (gone.old, True)
    assert len(story.record.automatic) == 1
    assert story.told.count("rollback") == 1


def test_a_person_who_sent_users_to_where_nothing_stands_any_more_is_not_followed(
    story: Story, gone: Gone
) -> None:
    """The old slot was retired; the bad version is better than nothing until it is up again."""
    story.clock.advance(61)
    story.run(programs.run_cleanup)
    story.world.edit(gone.old.color)
    assert story.target.entrance.ask("/", fresh=1, kept_alive=0)[0].status == 503
    run = story.roll_back(gone.release)
    assert isinstance(run.gave, RolledBack), run.error
    assert run.gave.verified
    assert story.live.release_id == gone.old.release_id
    assert story.world.answer(story.live.color).ok


def test_nor_to_a_slot_that_is_being_retired(story: Story, gone: Gone) -> None:
    story.clock.advance(61)
    cleanup = story.program(programs.run_cleanup)
    story.go_until(cleanup, lambda: cleanup.last_call == "remove")
    cleanup.kill()
    story.world.edit(gone.old.color)
    assert story.roll_back(gone.release).error is None
    assert story.live.name == f"{gone.old.name}-2"


def test_nor_to_replicas_that_are_all_dead(story: Story, gone: Gone) -> None:
    story.world.slots[gone.old.name] = with_ready(story.world.slots[gone.old.name], 0)
    story.world.edit(gone.old.color)
    assert story.roll_back(gone.release).error is None
    assert story.live == gone.old
    assert story.world.answer(gone.old.color).ok


@pytest.mark.parametrize("observed", ["old", "bad", "both"])
def test_an_edit_while_it_is_under_way_does_not_stop_it_either(
    story: Story, gone: Gone, observed: str
) -> None:
    color = {"old": gone.old.color, "bad": gone.bad.color, "both": None}[observed]
    for calls in (3, 8, 12, 16, 20):
        run = story.rollback(gone.release)
        run.go(calls)
        if not run.can_go:
            break
        story.world.edit(color)
        run.finish()
        story.clock.advance(20)
    story.roll_back(gone.release)
    assert story.live == gone.old


def test_a_release_still_refuses_what_was_edited(story: Story, gone: Gone) -> None:
    story.world.edit(gone.old.color)
    release = story.release("3")
    assert release.run
    assert "was changed by hand" in str(release.run.error)


def test_a_lost_record_is_made_again_from_its_copy_and_rolled_back(
    story: Story, gone: Gone
) -> None:
    fence = story.record.fence
    story.world.lost = True
    run = story.roll_back(gone.release)
    assert isinstance(run.gave, RolledBack)
    assert (story.live, story.record.confirmed) == (gone.old, True)
    assert story.record.fence > fence + 1
    assert any("made again from its copy" in line for line in run.said)


@pytest.mark.parametrize("calls", range(1, 50, 4))
def test_a_record_that_is_lost_while_a_rollback_is_at_work(
    story: Story, gone: Gone, calls: int
) -> None:
    run = story.rollback(gone.release)
    run.go(calls)
    story.world.lost = True
    run.finish()
    again = story.roll_back(gone.release)
    assert again.error is None
    story.run(programs.run_reconciler)
    assert (story.live, story.record.confirmed) == (gone.old, True)
    assert story.told.count("rollback") == 1


def test_a_release_that_runs_while_the_record_is_lost_and_made_again_changes_nothing_more(
    story: Story, gone: Gone
) -> None:
    third = story.new("3")
    run = story.begun(third)
    story.go_until(run, lambda: third.next_step == "smoke")
    story.world.lost = True
    assert story.roll_back(gone.release).error is None
    before = story.record
    run.finish()
    assert run.error is not None
    assert story.record == before
