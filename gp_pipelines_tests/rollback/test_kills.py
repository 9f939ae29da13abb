"""A rollback that is killed at any of its calls: carried on with, or concluded; never undone."""

from collections import Counter
from dataclasses import replace

import pytest

from gp_pipelines.rollback.assessment import Already
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines.traffic import events
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.faults.story import Story
from gp_pipelines_tests.rollback.conftest import Gone

CALLS = 60  # more than a rollback makes on the warm way
COLD_CALLS = 90


def killed(story: Story, gone: Gone, calls: int) -> Program:
    run = story.rollback(gone.release)
    run.go(calls)
    run.kill()
    return run


def retired(story: Story) -> None:
    story.clock.advance(61)
    story.run(programs.run_cleanup)


def never_live_again(story: Story, gone: Gone) -> list[str]:
    """Moves onto the bad version, from now on."""
    found: list[str] = []

    def look(what: str, before: object) -> None:
        live = story.record.live
        if what == "record" and live == gone.bad and story.record.undone is not None:
            found.append(f"{story.world.acting} went back")

    story.world.watchers.append(look)
    return found


def is_undone(story: Story, gone: Gone) -> bool:
    quarantined = [key for kind, key in story.world.documents if kind == "quarantine"]
    return (
        story.live.release_id == gone.old.release_id
        and story.record.confirmed
        and story.record.previous is None
        and len(quarantined) == 1
        and story.outcome(gone.release) == "rolled_back"
        and story.world.documents["rollbacks", gone.release.release_id]["outcome"] == "done"
    )


@pytest.mark.parametrize("calls", range(CALLS))
def test_the_retry_of_a_killed_rollback_ends_it(story: Story, gone: Gone, calls: int) -> None:
    back = never_live_again(story, gone)
    killed(story, gone, calls)
    again = story.roll_back(gone.release)
    assert isinstance(again.gave, RolledBack | Already), again.error
    story.run(programs.run_reconciler)  # where it was the end that was missing
    assert is_undone(story, gone)
    assert story.told.count("rollback") == 1
    assert back == []


@pytest.mark.parametrize("calls", range(0, CALLS, 2))
def test_the_reconciler_alone_ends_what_has_moved_traffic(
    story: Story, gone: Gone, calls: int
) -> None:
    back = never_live_again(story, gone)
    killed(story, gone, calls)
    moved = story.live != gone.bad
    story.run(programs.run_reconciler)
    assert is_undone(story, gone) is moved
    assert (story.live == gone.old) is moved
    assert story.told.count("rollback") == moved
    assert back == []
    assert story.record.holder is None


@pytest.mark.parametrize("calls", range(0, COLD_CALLS, 2))
def test_a_cold_rollback_that_is_killed_and_retried_never_starts_two_slots(
    story: Story, gone: Gone, calls: int
) -> None:
    retired(story)
    started: Counter[str] = Counter()
    story.world.watchers.append(
        lambda what, before: started.update([what]) if what.startswith("start ") else None
    )
    back = never_live_again(story, gone)
    killed(story, gone, calls)
    again = story.roll_back(gone.release)
    assert isinstance(again.gave, RolledBack | Already), again.error
    story.run(programs.run_reconciler)
    assert set(started) == {f"start {gone.old.name}-2"}
    assert story.live == replace(gone.old, name=f"{gone.old.name}-2")
    assert is_undone(story, gone)
    assert back == []
    assert not any(kept.slot.name == f"{gone.old.name}-3" for kept in story.record.kept)


@pytest.mark.parametrize("calls", range(0, COLD_CALLS, 5))
def test_what_a_killed_cold_rollback_had_started_is_retired_when_nobody_asks_again(
    story: Story, gone: Gone, calls: int
) -> None:
    retired(story)
    killed(story, gone, calls)
    story.run(programs.run_reconciler)
    story.clock.advance(100)
    story.run(programs.run_cleanup)
    assert story.standing == {story.live.name}
    assert story.record.holder is None


@pytest.mark.parametrize("calls", range(5, CALLS, 5))
def test_a_rollback_that_is_killed_twice_and_three_times_still_ends(
    story: Story, gone: Gone, calls: int
) -> None:
    retired(story)
    for _ in range(3):
        killed(story, gone, calls)
    assert isinstance(story.roll_back(gone.release).gave, RolledBack | Already)
    story.run(programs.run_reconciler)
    assert is_undone(story, gone)


@pytest.mark.parametrize("calls", range(0, CALLS, 2))
def test_an_interrupt_at_any_call_leaves_nothing_that_a_retry_waits_for(
    story: Story, gone: Gone, calls: int
) -> None:
    run = story.rollback(gone.release)
    run.go(calls)
    run.interrupt()
    run.finish()
    began = story.world.seconds
    assert isinstance(story.roll_back(gone.release).gave, RolledBack | Already)
    assert story.world.seconds - began < 1
    assert is_undone(story, gone)
    assert story.record.holder is None


@pytest.mark.parametrize("calls", range(0, CALLS, 3))
def test_a_rollback_that_wakes_up_late_changes_nothing_any_more(
    story: Story, gone: Gone, calls: int
) -> None:
    """In between another one has done it, and the fix has been released."""
    late = story.rollback(gone.release)
    late.go(calls)
    if not late.can_go:
        return
    late.freeze()
    story.clock.advance(20)
    assert isinstance(story.roll_back(gone.release).gave, RolledBack | Already)
    story.release("3")
    assert story.live.version == "3"
    before = story.record
    late.wake()
    late.finish()
    same = replace(before, fence=story.record.fence, revision=story.record.revision)
    assert story.record == same
    assert story.outcome(gone.release) == "rolled_back"


@pytest.mark.parametrize("unanswered", range(0, 40, 2))
def test_a_write_whose_answer_is_lost_is_found_by_the_retry(
    story: Story, gone: Gone, unanswered: int
) -> None:
    run = story.rollback(gone.release)
    run.go(unanswered)
    story.world.answers_lost = 1
    run.finish()
    story.world.answers_lost = 0
    assert isinstance(story.roll_back(gone.release).gave, RolledBack | Already)
    story.run(programs.run_reconciler)
    assert is_undone(story, gone)
    assert story.told.count("rollback") == 1


@pytest.mark.parametrize("calls", range(0, CALLS, 2))
def test_a_target_that_is_away_for_a_while_delays_it_and_no_more(
    story: Story, gone: Gone, calls: int
) -> None:
    run = story.rollback(gone.release)
    run.go(calls)
    story.world.unavailable = True
    run.go(3)
    story.world.unavailable = False
    run.finish()
    story.clock.advance(20)
    assert isinstance(story.roll_back(gone.release).gave, RolledBack | Already)
    story.run(programs.run_reconciler)
    assert is_undone(story, gone)


def test_an_event_that_is_in_the_history_is_not_brought_there_again(
    story: Story, gone: Gone
) -> None:
    run = story.rollback(gone.release)
    story.go_until(run, lambda: "rollback" in story.told)
    run.kill()
    ledger = story.target.ledger
    (event,) = [e for e in events.unrecorded(ledger) if e.what == "rollback"]
    events.recorded(ledger, event.key, "a run of Dagster's")
    story.run(programs.run_reconciler)
    assert story.record.confirmed
    assert "rollback" not in story.told


def test_the_events_of_a_killed_and_retried_rollback_have_one_key(story: Story, gone: Gone) -> None:
    run = story.rollback(gone.release)
    story.go_until(run, lambda: "rollback" in story.told)
    run.kill()
    story.roll_back(gone.release)
    (event,) = [e for e in events.unrecorded(story.target.ledger) if e.what == "rollback"]
    assert event.holder.run_id == run.run_id  # who moved the traffic
