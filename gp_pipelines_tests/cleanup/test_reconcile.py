"""What a dead run left, and how it is ended: each branch, and that nothing else is touched."""

from dataclasses import replace

from gp_pipelines.cleanup.reconcile import unfinished
from gp_pipelines.errors import Busy, Refused
from gp_pipelines.model import MovedBy
from gp_pipelines.traffic import events
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.fake_target import with_ready
from gp_pipelines_tests.faults.programs import Release
from gp_pipelines_tests.faults.story import Story


def killed_after_the_move(story: Story, fate: str = "") -> Release:
    release = story.new("2", fate)
    run = story.begun(release)
    story.go_until(run, lambda: not story.record.confirmed)
    run.kill()
    return release


def left_unfinished(story: Story) -> list[str]:
    return unfinished(story.record, list(story.world.slots.values()))


def test_where_nothing_is_left_only_the_fence_is_counted(story: Story) -> None:
    story.release("1")
    story.release("2")
    before = story.record
    assert left_unfinished(story) == []
    story.run(programs.run_reconciler)
    same = replace(before, fence=story.record.fence, revision=story.record.revision)
    assert story.record == same


def test_a_dead_runs_switch_is_confirmed_if_it_serves_and_its_event_is_told_once(
    story: Story,
) -> None:
    story.release("1")
    release = killed_after_the_move(story)
    assert len(left_unfinished(story)) == 2  # the move, and the fence
    story.run(programs.run_reconciler)
    assert (story.live.version, story.record.confirmed) == ("2", True)
    assert story.told == ["switch", "switch"]
    assert story.outcome(release) == "released"
    assert left_unfinished(story) == []


def test_an_event_that_the_dead_run_told_itself_is_not_told_again(story: Story) -> None:
    story.release("1")
    run = story.begun(story.new("2"))
    story.go_until(run, lambda: len(story.told) == 2)
    run.kill()
    story.run(programs.run_reconciler)
    assert story.record.confirmed
    assert story.told == ["switch", "switch"]


def test_a_dead_runs_switch_goes_back_if_it_does_not_serve(story: Story) -> None:
    story.release("1")
    old = story.live
    release = killed_after_the_move(story, "broken")
    story.run(programs.run_reconciler)
    assert (story.live, story.record.confirmed, story.record.undone) == (
        old,
        True,
        release.release_id,
    )
    assert story.told == ["switch", "switch", "switch_back", "retire"]
    assert story.standing == {old.name}
    assert story.outcome(release) == "failed"


def test_traffic_stays_where_there_is_nothing_to_go_back_to_and_that_is_said(
    story: Story,
) -> None:
    story.release("1")
    old = story.live
    killed_after_the_move(story, "broken")
    story.world.slots[old.name] = with_ready(story.world.slots[old.name], 0)
    run = story.run(programs.run_reconciler)
    assert any("NOT SWITCHED BACK" in line for line in run.said)
    assert (story.live.version, story.record.confirmed) == ("2", False)
    assert old.name in story.standing  # nothing is removed while that is so
    story.world.broken.clear()
    story.run(programs.run_reconciler)
    assert (story.live.version, story.record.confirmed) == ("2", True)


def test_a_rollback_is_never_switched_back_but_verified_again(story: Story) -> None:
    story.release("1")
    story.world.record = replace(story.record, confirmed=False, moved_by=MovedBy.ROLLBACK)
    story.world.broken.add(story.live.release_id)
    run = story.run(programs.run_reconciler)
    assert any("STILL UNVERIFIED" in line for line in run.said)
    assert (story.live.version, story.record.confirmed) == ("1", False)
    story.world.broken.clear()
    story.run(programs.run_reconciler)
    assert story.record.confirmed
    assert story.told[-1] == "rollback"


def test_a_dead_runs_slot_is_removed(story: Story) -> None:
    story.release("1")
    run = story.begun(story.new("2"))
    story.go_until(run, lambda: len(story.standing) == 2)
    run.kill()
    assert any("belongs to nothing" in line for line in left_unfinished(story))
    story.run(programs.run_reconciler)
    assert story.standing == {story.live.name}
    assert story.world.colors[story.live.color.other].slot_name is None


def test_what_was_rolled_back_is_removed_as_that(story: Story) -> None:
    story.release("1")
    bad = story.release("2")
    story.roll_back(bad)
    story.run(programs.run_reconciler)
    assert story.standing == {story.live.name}
    (event,) = [e for e in events.unrecorded(story.target.ledger) if e.what == "retire"]
    assert event.reason == "it was rolled back"


def test_warm_waiting_and_kept_slots_are_left(story: Story) -> None:
    story.service = programs.a_service(keep_failed_seconds=20)
    story.release("1")
    story.release("2")
    story.release("3", "fails_smoke")
    before = (story.standing, story.record.kept)
    story.run(programs.run_reconciler)
    assert (story.standing, story.record.kept) == before
    story.release("3", manual=True)
    before = (story.standing, story.record.kept)
    story.run(programs.run_reconciler)
    assert (story.standing, story.record.kept) == before


def test_a_living_holder_is_left_alone(story: Story) -> None:
    run = story.begun(story.new("1"))
    story.go_until(run, lambda: story.standing)
    assert isinstance(story.run(programs.run_reconciler).error, Busy)
    run.finish()
    assert story.live.version == "1"


def test_what_a_person_edited_is_left_to_a_person(story: Story) -> None:
    story.release("1")
    killed_after_the_move(story, "broken")
    story.world.edits = ("A person sends the traffic to blue.",)
    before = story.record
    assert isinstance(story.run(programs.run_reconciler).error, Refused)
    assert story.record == before
