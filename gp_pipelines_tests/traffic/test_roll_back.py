"""Going back to the version before: one write, what it refuses, and what it leaves for a crash."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gp_pipelines.errors import Refused
from gp_pipelines.model import (
    AutomaticRollback,
    Color,
    KeptSlot,
    MovedBy,
    Slot,
    SlotState,
    TrafficRecord,
)
from gp_pipelines.services import Service
from gp_pipelines.traffic import transitions
from gp_pipelines.traffic.fence import take
from gp_pipelines.traffic.roll_back import roll_back
from gp_pipelines_tests.faults.fake_target import BEGINNING, with_ready
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.faults.programs import holder_of
from gp_pipelines_tests.faults.story import Story


def going_back(program: Program, service: Service) -> None:
    """Under the fence, whatever an assessment may have said before."""
    hold = take(
        program.target.traffic,
        holder_of(program, "rollback"),
        program.progress,
        preempt=True,
        clock=program.monotonic,
        sleep=program.sleep,
    )
    try:
        roll_back(hold, program.target, service, automatic=True, progress=program.progress)
    finally:
        hold.leave()


@pytest.fixture
def old(story: Story) -> Slot:
    story.release("1")
    old = story.live
    story.release("2")
    return old


def with_state(story: Story, old: Slot, state: SlotState) -> None:
    kept = story.record.kept_slot(old.name)
    assert kept is not None
    story.world.record = replace(story.record, kept=(replace(kept, state=state),))


def test_one_write_moves_traffic_and_stores_all_that_a_crash_must_not_lose(
    story: Story, old: Slot
) -> None:
    bad = story.live
    story.run(going_back)
    record = story.record
    assert (record.live, record.previous, record.undone) == (old, None, bad.release_id)
    assert (record.moved_by, record.confirmed) == (MovedBy.ROLLBACK, False)
    assert record.switched_at is not None
    assert record.confirm_by == record.switched_at + timedelta(seconds=5)
    assert record.kept == (KeptSlot(bad, SlotState.KEPT, record.switched_at),)
    assert record.automatic == (AutomaticRollback(bad.release_id, record.switched_at),)


@pytest.mark.parametrize("state", [SlotState.RETIRING, SlotState.KEPT, SlotState.WAITING])
def test_only_a_warm_slot_is_gone_back_to(story: Story, old: Slot, state: SlotState) -> None:
    bad = story.live
    with_state(story, old, state)
    run = story.run(going_back)
    assert isinstance(run.error, Refused)
    assert str(state) in str(run.error)
    assert story.live == bad


@pytest.mark.parametrize("ready", [0, None])
def test_a_slot_without_a_ready_replica_gets_no_traffic(
    story: Story, old: Slot, ready: int | None
) -> None:
    if ready is None:
        del story.world.slots[old.name]
    else:
        story.world.slots[old.name] = with_ready(story.world.slots[old.name], ready)
    run = story.run(going_back)
    assert isinstance(run.error, Refused)
    assert "no ready replica" in str(run.error)
    assert story.live.version == "2"


def test_the_old_color_is_stamped_with_the_fence_before_traffic_goes_there(
    story: Story, old: Slot
) -> None:
    """A stale run's write of what stands there conflicts from then on."""
    run = story.program(going_back)
    story.go_until(run, lambda: run.last_call == "written")
    fence = story.record.fence
    story.go_until(run, lambda: story.live == old)
    assert story.world.colors[old.color].fence == fence


def test_no_way_leads_back_from_a_rollback(story: Story, old: Slot) -> None:
    story.run(going_back)
    run = story.run(going_back)
    assert isinstance(run.error, Refused)
    assert story.live == old


def a_record() -> TrafficRecord:
    old = Slot("api-blue-1", "1", 1, "1", "sha256:1", "c", Color.BLUE, 2)
    bad = replace(old, name="api-green-2", release_id="2", number=2, color=Color.GREEN)
    return TrafficRecord(
        "api", live=bad, previous=old, kept=(KeptSlot(old, SlotState.WARM, BEGINNING),)
    )


def rolled_back(record: TrafficRecord, *, automatic: bool = False) -> TrafficRecord:
    return transitions.rolled_back(
        record, BEGINNING, automatic=automatic, confirm_seconds=5, keep_failed_seconds=7
    )


def test_what_waited_is_kept_to_be_looked_at_and_reserved_no_longer() -> None:
    record = a_record()
    assert record.previous is not None
    third = replace(record.previous, name="api-blue-3", release_id="3", number=3)
    after = rolled_back(
        replace(record, kept=(*record.kept, KeptSlot(third, SlotState.WAITING, None)))
    )
    kept = after.kept_slot(third.name)
    assert kept == KeptSlot(third, SlotState.KEPT, BEGINNING + timedelta(seconds=7))
    assert after.waiting is None


def test_as_many_automatic_rollbacks_are_remembered_as_may_be_in_a_day() -> None:
    older = tuple(AutomaticRollback(f"old-{n}", BEGINNING) for n in range(transitions.REMEMBERED))
    after = rolled_back(replace(a_record(), automatic=older), automatic=True)
    assert after.automatic == (*older[1:], AutomaticRollback("2", BEGINNING))


def test_a_persons_rollback_leaves_the_count_as_it_is() -> None:
    older = (AutomaticRollback("old", BEGINNING),)
    assert rolled_back(replace(a_record(), automatic=older)).automatic == older


def test_a_slot_that_is_brought_up_again_is_what_is_gone_back_to_from_then_on() -> None:
    record = a_record()
    assert record.previous is not None
    again = replace(record.previous, name=f"{record.previous.name}-2")
    after = transitions.restoring(record, again, BEGINNING, 60)
    assert (after.previous, after.live) == (again, record.live)
    assert after.kept == (
        *record.kept,
        KeptSlot(again, SlotState.WARM, BEGINNING + timedelta(seconds=60)),
    )
    assert rolled_back(after).live == again
