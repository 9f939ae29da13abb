"""The ways back to the old version: warm, short of replicas, cold; each ends on it, verified."""

from dataclasses import replace
from unittest.mock import patch

import pytest

from gp_pipelines import launch_recipe
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.model import MovedBy, SlotState
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines.traffic import events
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.fake_target import with_ready
from gp_pipelines_tests.faults.story import Story
from gp_pipelines_tests.rollback.conftest import Gone


def retired(story: Story, gone: Gone) -> None:
    """The retention of the old slot has run out."""
    story.clock.advance(61)
    story.run(programs.run_cleanup)
    assert story.standing == {gone.bad.name}


def starts(story: Story) -> list[str]:
    """The slots that are started from now on."""
    found: list[str] = []
    story.world.watchers.append(
        lambda what, before: (
            found.append(what.removeprefix("start ")) if what.startswith("start ") else None
        )
    )
    return found


def test_the_warm_old_slot_takes_the_traffic_and_nothing_is_started(
    story: Story, gone: Gone
) -> None:
    started = starts(story)
    run = story.roll_back(gone.release)
    assert isinstance(run.gave, RolledBack)
    assert run.gave.verified
    assert started == []
    record = story.record
    assert (record.live, record.previous, record.confirmed) == (gone.old, None, True)
    assert (record.moved_by, record.undone) == (MovedBy.ROLLBACK, gone.release.release_id)
    assert record.holder is None


def test_whatever_is_live_is_undone_where_no_release_is_named(story: Story, gone: Gone) -> None:
    assert story.roll_back().error is None
    assert story.live == gone.old


def test_the_record_and_the_event_name_who_did_it_and_why(story: Story, gone: Gone) -> None:
    run = story.roll_back(gone.release)
    assert story.record.mover is not None
    assert story.record.mover.run_id == run.run_id
    (event,) = [e for e in events.unrecorded(story.target.ledger) if e.what == "rollback"]
    assert (event.holder.run_id, event.holder.actor) == (run.run_id, "a person")
    assert (event.before, event.after) == (gone.bad.describe(), gone.old.describe())
    assert (event.release_id, event.reason) == (gone.release.release_id, "bad")
    assert event.facts
    assert event.facts["way"] == "warm"


def test_a_retired_version_is_brought_up_in_a_new_slot_and_stays_the_release_that_it_was(
    story: Story, gone: Gone
) -> None:
    retired(story, gone)
    assert story.roll_back(gone.release).error is None
    assert story.live == replace(gone.old, name=f"{gone.old.name}-2")
    assert story.record.confirmed


def test_it_is_started_as_it_was_and_not_as_services_yaml_says_today(
    story: Story, gone: Gone
) -> None:
    retired(story, gone)
    today = {"command": ("other",), "environment": {"MODE": "new"}}
    story.service = story.service.model_copy(update=today)
    story.roll_back(gone.release)
    launch = story.world.launches[story.live.name]
    assert (launch.command, launch.environment) == (("api",), {})
    assert launch.artifact.digest == gone.old.digest
    assert story.live.config_hash == gone.old.config_hash


def test_a_version_whose_launch_nobody_remembers_is_not_guessed_at(
    story: Story, gone: Gone
) -> None:
    retired(story, gone)
    story.target.ledger.delete(launch_recipe.KIND, gone.old.release_id)
    run = story.roll_back(gone.release)
    assert isinstance(run.error, Refused)
    assert "does not know how" in str(run.error)
    assert "--allow-downgrade" in run.error.advice
    assert (story.live, story.record.holder) == (gone.bad, None)


def test_an_artifact_that_is_stored_no_longer_as_it_was_is_not_started(
    story: Story, gone: Gone
) -> None:
    retired(story, gone)
    other = replace(programs.an_artifact("1"), digest="sha256:other")
    with patch.object(programs, "an_artifact", return_value=other):
        run = story.roll_back(gone.release)
    assert "is not stored any more" in str(run.error)
    assert (story.live, story.standing) == (gone.bad, {gone.bad.name})


def test_a_launch_of_another_artifact_is_not_taken_for_the_old_one(
    story: Story, gone: Gone
) -> None:
    retired(story, gone)
    document = story.world.documents[launch_recipe.KIND, gone.old.release_id]
    document["artifact"]["digest"] = "sha256:other"
    assert isinstance(story.roll_back(gone.release).error, Refused)
    assert story.live == gone.bad


def test_a_slot_whose_retirement_has_begun_is_not_gone_back_to(story: Story, gone: Gone) -> None:
    """The cleanup drains it, alive and deaf for minutes, while the rollback goes its way."""
    story.clock.advance(61)
    cleanup = story.program(programs.run_cleanup)
    story.go_until(cleanup, lambda: story.record.kept[0].state is SlotState.RETIRING)
    assert gone.old.name in story.standing
    assert story.roll_back(gone.release).error is None
    assert story.live.name == f"{gone.old.name}-2"
    before = story.record
    cleanup.finish()
    assert story.record == before
    assert story.world.answer(story.live.color).release_id == gone.old.release_id


@pytest.mark.parametrize("calls", range(0, 40, 2))
def test_a_rollback_that_races_a_cleanup_ends_on_the_old_version(
    story: Story, gone: Gone, calls: int
) -> None:
    story.clock.advance(61)
    cleanup = story.program(programs.run_cleanup)
    cleanup.go(calls)
    back = story.rollback(gone.release)
    for _ in range(100):  # a call of the one, a call of the other
        for program in (back, cleanup):
            if program.can_go:
                program.go(1)
    back.finish()
    cleanup.finish()
    assert back.error is None
    assert story.live.release_id == gone.old.release_id
    assert story.record.confirmed


def test_missing_replicas_are_started_again_before_the_old_slot_takes_the_traffic(
    story: Story, gone: Gone
) -> None:
    story.world.slots[gone.old.name] = with_ready(story.world.slots[gone.old.name], 1)
    started = starts(story)
    assert story.roll_back(gone.release).error is None
    assert started == [gone.old.name]
    assert (story.live, story.world.ready(gone.old.name)) == (gone.old, 2)


def test_what_is_left_of_the_old_slot_is_better_than_the_bad_version(
    story: Story, gone: Gone
) -> None:
    """It does not come to its full strength."""
    story.world.slots[gone.old.name] = with_ready(story.world.slots[gone.old.name], 1)
    story.world.half_ready.add(gone.old.release_id)
    run = story.roll_back(gone.release)
    assert run.error is None
    assert (story.live, story.world.ready(gone.old.name)) == (gone.old, 1)
    assert any("going on with 1/2 replicas" in line for line in run.said)


def test_what_is_left_of_the_old_slot_is_taken_also_where_nobody_knows_how_to_start_more(
    story: Story, gone: Gone
) -> None:
    story.world.slots[gone.old.name] = with_ready(story.world.slots[gone.old.name], 1)
    story.target.ledger.delete(launch_recipe.KIND, gone.old.release_id)
    run = story.roll_back(gone.release)
    assert run.error is None
    assert (story.live, story.world.ready(gone.old.name)) == (gone.old, 1)


def test_an_old_slot_of_which_nothing_comes_up_gets_no_traffic(story: Story, gone: Gone) -> None:
    story.world.slots[gone.old.name] = with_ready(story.world.slots[gone.old.name], 0)
    story.world.never_ready.add(gone.old.release_id)
    run = story.roll_back(gone.release)
    assert isinstance(run.error, StepFailed)
    assert (story.live, story.record.confirmed, story.record.holder) == (gone.bad, True, None)


def test_something_else_behind_the_old_color_is_replaced_before_traffic_goes_there(
    story: Story, gone: Gone
) -> None:
    color = story.target.traffic.read_color(gone.old.color)
    story.target.traffic.write_color(gone.old.color, None, color.fence, color)
    assert story.roll_back(gone.release).error is None
    assert story.world.answer(gone.old.color).ok


def test_a_slot_that_is_gone_without_a_retirement_is_started_again(
    story: Story, gone: Gone
) -> None:
    del story.world.slots[gone.old.name]
    assert story.roll_back(gone.release).error is None
    assert story.live.release_id == gone.old.release_id
    assert story.world.ready(story.live.name) == 2


def test_traffic_moves_before_anything_else_is_done(story: Story, gone: Gone) -> None:
    """Quarantine, events and logs come after it, and nothing of the bad version is asked before."""
    back = story.rollback(gone.release)
    calls: list[str] = []
    while story.live == gone.bad:
        back.go(1)
        calls.append(back.last_call)
    assert "remove" not in calls
    assert "ask" not in calls
    assert ("quarantine", "2") not in {(k, key) for k, key in story.world.documents}
    assert not [key for key in story.world.documents if key[0] == "quarantine"]
    back.finish()
    assert [key for key in story.world.documents if key[0] == "quarantine"]
