"""A rollback that cannot be verified is never switched back: it is verified again, and told."""

import pytest

from gp_pipelines import restrictions
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.story import Story
from gp_pipelines_tests.rollback.conftest import Gone


@pytest.fixture
def unverified(story: Story, gone: Gone) -> Gone:
    """The old version is bad, too."""
    story.world.broken.add(gone.old.release_id)
    run = story.roll_back(gone.release, by_alert=True)
    assert isinstance(run.error, StepFailed)
    assert "could not be verified" in str(run.error)
    assert "never switched back" in run.error.state
    return gone


def test_traffic_stays_unconfirmed_on_the_old_version(story: Story, unverified: Gone) -> None:
    record = story.record
    assert (record.live, record.confirmed, record.previous) == (unverified.old, False, None)
    assert record.holder is None


def test_the_bad_version_is_in_quarantine_all_the_same(story: Story, unverified: Gone) -> None:
    bad = unverified.bad
    assert restrictions.is_quarantined(story.target.ledger, bad.digest, bad.config_hash)
    assert story.outcome(unverified.release) == "rolled_back"
    assert story.told.count("rollback") == 1


def test_the_target_remembers_that_it_is_not_verified(story: Story, unverified: Gone) -> None:
    document = story.world.documents["rollbacks", unverified.release.release_id]
    assert document["outcome"] == "unverified"
    assert "500" in document["error"]


def test_the_reconciler_verifies_it_again_and_says_that_it_is_not(
    story: Story, unverified: Gone
) -> None:
    for _ in range(3):
        run = story.run(programs.run_reconciler)
        assert any("STILL UNVERIFIED" in line for line in run.said)
        assert (story.live, story.record.confirmed) == (unverified.old, False)


def test_the_reconciler_confirms_it_once_it_serves(story: Story, unverified: Gone) -> None:
    story.world.broken.clear()
    story.run(programs.run_reconciler)
    assert (story.live, story.record.confirmed) == (unverified.old, True)
    assert story.told.count("rollback") == 1


@pytest.mark.parametrize("by_alert", [True, False])
def test_asking_again_verifies_again_and_does_not_count_again(
    story: Story, unverified: Gone, by_alert: bool
) -> None:
    assert isinstance(story.roll_back(unverified.release, by_alert=by_alert).error, StepFailed)
    story.world.broken.clear()
    again = story.roll_back(unverified.release, by_alert=by_alert)
    assert isinstance(again.gave, RolledBack)
    assert (story.live, story.record.confirmed) == (unverified.old, True)
    assert len(story.record.automatic) == 1
    assert story.world.documents["rollbacks", unverified.release.release_id]["outcome"] == "done"


def test_nothing_is_retired_while_it_is_unverified(story: Story, unverified: Gone) -> None:
    story.clock.advance(1000)
    story.run(programs.run_cleanup)
    story.run(programs.run_reconciler)
    assert unverified.bad.name in story.standing


def test_a_fix_waits_for_it_unless_a_person_accepts_it_as_it_is(
    story: Story, unverified: Gone
) -> None:
    fix = story.release("3")
    assert fix.run
    assert isinstance(fix.run.error, Refused)
    story.run(programs.run_repair)
    assert story.record.confirmed
    assert story.release("3").run.error is None  # type: ignore[union-attr]
    assert story.live.version == "3"


def test_a_person_who_accepts_what_a_killed_rollback_had_moved_puts_the_bad_one_into_quarantine(
    story: Story, gone: Gone
) -> None:
    story.world.broken.add(gone.old.release_id)
    run = story.rollback(gone.release)
    story.go_until(run, lambda: story.live == gone.old)
    run.kill()
    story.clock.advance(20)
    story.run(programs.run_repair)
    assert story.record.confirmed
    bad = gone.bad
    assert restrictions.is_quarantined(story.target.ledger, bad.digest, bad.config_hash)
    assert story.told.count("rollback") == 1
