"""Asked twice, by whomever: done once. What is not live any more is not undone again."""

import pytest

from gp_pipelines.errors import ConfigInvalid, Refused
from gp_pipelines.rollback.assessment import Already
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines_tests.faults.story import Story
from gp_pipelines_tests.rollback.conftest import Gone


def already(run: object) -> Already:
    assert isinstance(run, Already), run
    return run


@pytest.mark.parametrize("by_alert", [True, False])
def test_the_second_to_ask_is_told_who_did_it_and_changes_nothing(
    story: Story, gone: Gone, by_alert: bool
) -> None:
    first = story.roll_back(gone.release, by_alert=True)
    before = story.record
    second = already(story.roll_back(gone.release, by_alert=by_alert).gave)
    assert second.run_id == first.run_id
    assert gone.old.describe() in second.why
    assert story.record == before


def test_also_long_after_and_with_other_releases_since(story: Story, gone: Gone) -> None:
    first = story.roll_back(gone.release)
    story.release("3")
    story.release("4")
    second = already(story.roll_back(gone.release).gave)
    assert second.run_id == first.run_id
    assert story.live.version == "4"


def test_a_release_that_a_later_one_has_replaced_is_not_undone(story: Story, gone: Gone) -> None:
    story.release("3")
    before = story.record
    found = already(story.roll_back(gone.release, by_alert=True).gave)
    assert found.run_id is None
    assert story.record == before


def test_a_release_that_never_went_live_is_not_undone(story: Story, gone: Gone) -> None:
    failed = story.release("3", "fails_smoke")
    assert already(story.roll_back(failed).gave).run_id is None
    assert story.live == gone.bad


def test_a_release_that_switched_back_by_itself_was_undone_by_that(
    story: Story, gone: Gone
) -> None:
    back = story.release("3", "broken")
    assert back.run
    found = already(story.roll_back(back, by_alert=True).gave)
    assert found.run_id == back.run.run_id
    assert story.live == gone.bad
    assert story.record.automatic == ()


def test_a_release_that_never_was_is_a_mistake(story: Story, gone: Gone) -> None:
    before = story.record
    run = story.roll_back(story.new("9"))
    assert isinstance(run.error, ConfigInvalid)
    assert story.record == before


def test_a_rollback_under_way_that_has_moved_traffic_is_ended_by_the_second_one(
    story: Story, gone: Gone
) -> None:
    first = story.rollback(gone.release, by_alert=True)
    story.go_until(first, lambda: story.live == gone.old)
    second = story.roll_back(gone.release, by_alert=True)
    assert isinstance(second.gave, RolledBack)
    first.finish()
    assert story.live == gone.old
    assert len(story.record.automatic) == 1
    assert story.told.count("rollback") == 1


def test_one_that_names_no_release_does_not_go_back_twice(story: Story, gone: Gone) -> None:
    """A retry that lost its request must not undo what the first one had restored."""
    story.roll_back()
    run = story.roll_back()
    assert isinstance(run.error, Refused)
    assert f"since #{gone.bad.number} was undone" in str(run.error)
    assert story.live == gone.old


def test_nothing_is_live(story: Story) -> None:
    run = story.roll_back()
    assert isinstance(run.error, Refused)
    assert "Nothing of api is live" in str(run.error)
    assert story.record.fence == 0


@pytest.mark.parametrize("by_alert", [True, False])
def test_a_first_release_has_nothing_to_go_back_to(story: Story, by_alert: bool) -> None:
    release = story.release("1")
    before = story.record
    run = story.roll_back(release, by_alert=by_alert)
    assert isinstance(run.error, Refused)
    assert "no previous version" in str(run.error)
    assert "gp release" in run.error.advice
    assert story.record == before


def test_a_refusal_leaves_a_running_release_alone(story: Story) -> None:
    first = story.release("1")
    second = story.new("2")
    run = story.begun(second)
    story.go_until(run, lambda: len(second.passed) == 5)
    assert isinstance(story.roll_back(first).error, Refused)
    run.finish()
    assert (run.error, story.live.version) == (None, "2")
