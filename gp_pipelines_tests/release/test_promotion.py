"""A release that waits: what promotes it, what it is refused for, and how it is rejected."""

from dataclasses import replace
from unittest.mock import patch

from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.model import SlotState
from gp_pipelines.services import Service
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.faults.story import Story


def test_a_waiting_release_is_promoted(story: Story) -> None:
    story.release("1")
    release = story.release("2", manual=True)
    assert (story.live.version, story.outcome(release)) == ("1", "waiting")
    assert story.run(programs.run_promotion).error is None
    assert (story.live.version, story.outcome(release)) == ("2", "released")
    assert story.record.waiting is None


def test_a_waiting_slot_outlasts_every_cleanup_and_reconciler(story: Story) -> None:
    story.release("1", manual=True)
    for _ in range(3):
        story.clock.advance(100_000)
        story.run(programs.run_cleanup)
        story.run(programs.run_reconciler)
    assert story.record.waiting is not None
    assert story.standing == {story.record.waiting.name}


def test_a_rejected_release_is_removed(story: Story) -> None:
    release = story.release("1", manual=True)
    assert story.run(programs.run_rejection).error is None
    assert (story.standing, story.record.kept) == (set(), ())
    assert story.outcome(release) == "rejected"


def test_there_is_nothing_to_promote_or_to_reject(story: Story) -> None:
    for work in (programs.run_promotion, programs.run_rejection):
        assert isinstance(story.run(work).error, Refused)


def refused_and_still_waiting(story: Story, promotion: Program, why: str) -> None:
    assert isinstance(promotion.error, Refused | StepFailed)
    assert why in str(promotion.error)
    assert story.record.live is None
    assert story.record.waiting is not None
    assert story.standing == {story.record.waiting.name}
    assert story.outcome(story.releases[0]) == "waiting"
    assert story.record.holder is None


def test_a_changed_configuration_is_not_promoted(story: Story) -> None:
    story.release("1", manual=True)
    story.service = story.service.model_copy(update={"environment": {"A": "b"}})
    refused_and_still_waiting(story, story.run(programs.run_promotion), "configuration")


def test_a_changed_artifact_is_not_promoted(story: Story) -> None:
    story.release("1", manual=True)
    other = replace(programs.an_artifact("1"), digest="sha256:other")
    with patch.object(programs, "an_artifact", return_value=other):
        refused_and_still_waiting(story, story.run(programs.run_promotion), "artifact")


def test_a_schema_that_is_behind_again_is_not_promoted(story: Story) -> None:
    story.release("1", manual=True)

    def promote_with_pending_migrations(program: Program, service: Service) -> None:
        with patch.object(programs, "DATABASE", programs.BehindDatabase()):
            programs.run_promotion(program, service)

    refused_and_still_waiting(story, story.run(promote_with_pending_migrations), "pending")


def test_missing_evidence_is_not_promoted(story: Story) -> None:
    release = story.release("1", manual=True)
    del story.world.documents["evidence", release.release_id]["smoke"]
    refused_and_still_waiting(story, story.run(programs.run_promotion), "no evidence of smoke")


def test_evidence_of_something_else_is_not_promoted(story: Story) -> None:
    release = story.release("1", manual=True)
    story.world.documents["evidence", release.release_id]["smoke"]["digest"] = "sha256:other"
    refused_and_still_waiting(story, story.run(programs.run_promotion), "of another artifact")


def test_a_waiting_version_that_fails_its_smoke_checks_now_is_not_promoted(story: Story) -> None:
    release = story.release("1", manual=True)
    story.world.fails_smoke.add(release.release_id)
    refused_and_still_waiting(story, story.run(programs.run_promotion), "smoke")


def test_a_promotion_that_cannot_be_verified_goes_back_and_its_slot_is_removed(
    story: Story,
) -> None:
    story.release("1")
    old = story.live
    release = story.release("2", "broken", manual=True)
    assert isinstance(story.run(programs.run_promotion).error, StepFailed)
    assert (story.live, story.standing, story.outcome(release)) == (old, {old.name}, "failed")


def test_a_killed_rejection_is_finished_by_the_reconciler(story: Story) -> None:
    release = story.release("1", manual=True)
    run = story.program(programs.run_rejection)
    story.go_until(run, lambda: story.record.waiting is None)
    run.kill()
    assert story.record.kept[0].state is SlotState.RETIRING
    assert isinstance(story.run(programs.run_promotion).error, Refused)
    story.run(programs.run_reconciler)
    assert not story.standing
    assert story.outcome(release) == "rejected"
