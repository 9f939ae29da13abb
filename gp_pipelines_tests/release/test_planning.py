"""What a release is refused for, before it changes anything."""

from dataclasses import replace

import pytest

from gp_pipelines.errors import Busy, ConfigInvalid, Refused, TargetUnavailable
from gp_pipelines.model import Color, MovedBy
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.programs import Release
from gp_pipelines_tests.faults.story import Story


def refusal(release: Release) -> Refused:
    assert release.run
    assert isinstance(release.run.error, Refused), release.run.error
    return release.run.error


def test_a_first_release_goes_to_blue_and_the_next_to_green(story: Story) -> None:
    story.release("1")
    assert story.live.color is Color.BLUE
    story.release("2")
    assert (story.live.color, story.live.number) == (Color.GREEN, 2)


def test_a_second_release_is_refused_while_one_is_at_work_and_names_it(story: Story) -> None:
    first = story.begun(story.new("1"))
    story.go_until(first, lambda: story.standing)
    before = story.world.seconds
    second = story.release("2")
    assert isinstance(refusal(second), Busy)
    assert first.run_id in str(refusal(second))
    assert story.world.seconds - before < 5
    first.finish()
    assert story.live.version == "1"


def test_a_dead_release_is_taken_over_after_15_seconds_of_silence_and_what_it_left_is_removed(
    story: Story,
) -> None:
    first = story.begun(story.new("1"))
    story.go_until(first, lambda: story.standing)
    left = story.standing
    first.kill()
    before = story.world.seconds
    story.release("2")
    assert story.live.version == "2"
    assert 15 <= story.world.seconds - before < 25
    assert story.standing.isdisjoint(left)


def test_a_target_that_cannot_be_read_proves_no_death(story: Story) -> None:
    first = story.begun(story.new("1"))
    story.go_until(first, lambda: story.standing)
    first.freeze()
    second = story.begun(story.new("2"))
    story.go_until(second, lambda: story.world.seconds > 5)
    story.world.unavailable = True
    second.go(50)
    assert story.record.holder is not None
    assert story.record.holder.run_id == first.run_id


def test_a_downgrade_is_refused_unless_it_is_allowed(story: Story) -> None:
    story.release("2")
    assert "older" in str(refusal(story.release("1")))
    assert story.live.version == "2"
    story.release("1", allow_downgrade=True)
    assert story.live.version == "1"


def test_what_is_live_already_is_refused_unless_it_is_a_redeploy(story: Story) -> None:
    story.release("1")
    assert "live already" in str(refusal(story.release("1")))
    assert story.standing == {story.live.name}
    first = story.live
    story.release("1", redeploy=True)
    assert (story.live.version, story.live.color) == ("1", first.color.other)


def test_a_hand_edit_is_refused_and_left_as_it_is(story: Story) -> None:
    story.release("1")
    before = story.record
    story.world.edits = ("A person sends the traffic to green.",)
    assert "sends the traffic to green" in str(refusal(story.release("2")))
    assert story.record == before


def test_nothing_is_released_beside_a_release_that_waits(story: Story) -> None:
    waiting = story.release("1", manual=True)
    assert story.outcome(waiting) == "waiting"
    assert "gp promote" in str(refusal(story.release("2")))
    assert story.record.waiting is not None


def test_nothing_is_released_on_top_of_traffic_that_is_not_verified(story: Story) -> None:
    story.release("1")
    story.world.record = replace(story.record, confirmed=False, moved_by=MovedBy.ROLLBACK)
    story.world.broken.add(story.live.release_id)
    assert "could not be verified" in str(refusal(story.release("2")))
    assert story.live.version == "1"


@pytest.mark.parametrize("version", ["../1", "1; rm", "", "v" * 65])
def test_what_is_no_version_is_refused_before_anything_is_asked(story: Story, version: str) -> None:
    release = story.release(version)
    assert release.run
    assert isinstance(release.run.error, ConfigInvalid)
    assert story.record.revision == 0


def test_a_release_that_is_done_is_not_done_a_second_time_under_its_id(story: Story) -> None:
    done = story.release("1")
    again = story.again(done, "plan")
    assert "done already" in str(again.error)
    assert story.standing == {story.live.name}


def test_a_new_release_has_no_less_capacity_than_the_live_one(story: Story) -> None:
    story.release("1")
    story.service = story.service.model_copy(update={"replicas": 1})
    story.release("2")
    assert story.live.replicas == 2


def test_what_was_refused_leaves_the_fence_free(story: Story) -> None:
    story.release("2")
    story.release("1")
    assert story.record.holder is None
    assert story.run(programs.run_reconciler).error is None


def test_a_database_that_is_down_is_named_before_anything_is_changed(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Down(programs.BehindDatabase):
        def require_up(self) -> None:
            raise TargetUnavailable("PostgreSQL at db:5432/missions does not answer.")

    monkeypatch.setattr(programs, "DATABASE", Down())
    release = story.release("1")
    assert release.run
    assert isinstance(release.run.error, TargetUnavailable)
    assert "db:5432/missions" in str(release.run.error)
    assert (story.record.fence, story.record.releases, story.standing) == (0, 0, set())


def test_a_release_that_bakes_keeps_its_old_slot_from_the_next_one(story: Story) -> None:
    story.service = programs.a_service(bake_seconds=30)
    story.release("1")
    story.release("2")
    old = story.record.previous
    assert old is not None
    assert "still bakes" in str(refusal(story.release("3")))
    assert old.name in story.standing
    story.clock.advance(31)
    story.release("3")
    assert story.live.version == "3"


def test_a_person_may_take_the_old_slot_of_a_release_that_bakes(story: Story) -> None:
    story.service = programs.a_service(bake_seconds=30)
    story.release("1")
    story.release("2")
    story.release("3", replace_previous=True)
    assert story.live.version == "3"


def test_nothing_bakes_where_there_is_no_old_slot(story: Story) -> None:
    story.service = programs.a_service(bake_seconds=30)
    story.release("1")
    story.release("2")
    assert story.live.version == "2"
