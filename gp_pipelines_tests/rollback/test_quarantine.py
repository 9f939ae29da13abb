"""What was undone is not released again, until a person says so; its fix is, at once."""

import pytest

from gp_pipelines import restrictions
from gp_pipelines.errors import Refused
from gp_pipelines.model import Slot
from gp_pipelines.restrictions import Quarantine
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.programs import Release
from gp_pipelines_tests.faults.story import Story
from gp_pipelines_tests.rollback.conftest import Gone


def quarantined(story: Story) -> list[Quarantine]:
    return restrictions.quarantines(story.target.ledger)


def put_into_quarantine(story: Story, slot: Slot) -> None:
    found = Quarantine(
        slot.version, slot.digest, slot.config_hash, "ann", "it leaks", story.world.now
    )
    restrictions.quarantine(story.target.ledger, found)


def refused(release: Release, by: str) -> None:
    assert release.run
    assert isinstance(release.run.error, Refused), release.run.error
    assert by in str(release.run.error)


def test_the_bad_version_is_in_quarantine_with_who_and_why(story: Story, gone: Gone) -> None:
    story.roll_back(gone.release)
    (found,) = quarantined(story)
    assert (found.version, found.digest) == (gone.bad.version, gone.bad.digest)
    assert found.config_hash == gone.bad.config_hash
    assert (found.by, found.reason) == ("a person", "bad")


@pytest.mark.parametrize("redeploy", [True, False])
def test_it_is_refused_before_anything_is_started(story: Story, gone: Gone, redeploy: bool) -> None:
    story.roll_back(gone.release)
    refused(story.release("2", redeploy=redeploy), "is in quarantine")
    assert story.live == gone.old
    assert not [name for name in story.standing if "00000003" in name]


def test_the_refusal_says_how_it_is_lifted(story: Story, gone: Gone) -> None:
    story.roll_back(gone.release)
    run = story.release("2").run
    assert run
    assert isinstance(run.error, Refused)
    assert "gp quarantine api 2 --lift --reason" in run.error.advice


def test_a_waiting_release_of_it_is_not_promoted(story: Story, gone: Gone) -> None:
    """Put into quarantine by a person while it waits."""
    story.release("3", manual=True)
    waiting = story.record.waiting
    assert waiting is not None
    put_into_quarantine(story, waiting)
    run = story.run(programs.run_promotion)
    assert isinstance(run.error, Refused)
    assert "is in quarantine" in str(run.error)
    assert story.live == gone.bad


def test_a_release_under_way_stops_before_its_switch(story: Story, gone: Gone) -> None:
    third = story.new("3")
    run = story.begun(third)
    story.go_until(run, lambda: third.next_step == "switch")
    assert third.plan
    put_into_quarantine(story, third.plan.slot(programs.an_artifact("3")))
    run.finish()
    refused(third, "is in quarantine")
    assert story.live == gone.bad


@pytest.mark.parametrize("step", programs.STEPS[1:7])
def test_the_undone_release_is_not_executed_again_from_any_step(
    story: Story, gone: Gone, step: str
) -> None:
    story.roll_back(gone.release)
    again = story.again(gone.release, step)
    assert isinstance(again.error, Refused)
    assert story.live == gone.old


def test_not_even_once_it_is_lifted_since_something_else_is_live_now(
    story: Story, gone: Gone
) -> None:
    """The version may be released again, as a new release."""
    story.roll_back(gone.release)
    restrictions.lift(story.target.ledger, quarantined(story)[0])
    again = story.again(gone.release, "switch")
    assert "the release was rolled back" in str(again.error)
    assert story.live == gone.old


def test_its_fix_is_released_at_once(story: Story, gone: Gone) -> None:
    story.roll_back(gone.release)
    assert story.release("3").run.error is None  # type: ignore[union-attr]
    assert story.live.version == "3"


def test_the_same_artifact_with_another_configuration_is_another_version(
    story: Story, gone: Gone
) -> None:
    story.roll_back(gone.release)
    story.service = story.service.model_copy(update={"environment": {"FIXED": "1"}})
    assert story.release("2").run.error is None  # type: ignore[union-attr]
    assert (story.live.version, story.live.digest) == ("2", gone.bad.digest)


def test_the_version_that_was_gone_back_to_may_be_released_again(story: Story, gone: Gone) -> None:
    story.roll_back(gone.release)
    assert story.release("1", redeploy=True).run.error is None  # type: ignore[union-attr]


def test_once_lifted_it_is_released_again_and_can_be_undone_again(story: Story, gone: Gone) -> None:
    story.roll_back(gone.release)
    restrictions.lift(story.target.ledger, quarantined(story)[0])
    again = story.release("2")
    assert again.run
    assert again.run.error is None
    assert story.roll_back(again, by_alert=True).error is None
    assert story.live.version == "1"
    assert len(quarantined(story)) == 1


def test_a_refused_rollback_puts_nothing_into_quarantine(story: Story) -> None:
    release = story.release("1")
    story.roll_back(release)
    assert quarantined(story) == []
