"""A restore that is killed, frozen, interrupted or preempted: undone, or finished; never half."""

from dataclasses import replace

import pytest

from gp_pipelines import restrictions
from gp_pipelines.cleanup.watch import Seen, look
from gp_pipelines.errors import Refused
from gp_pipelines.model import MovedBy, short_id
from gp_pipelines.rollback.guards import judge, situation
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.restore.conftest import Lost
from gp_pipelines_tests.restore.fake_database import OWN
from gp_pipelines_tests.rollback.watched import an_alert

CALLS = 150  # more than a restore makes


def is_whole(lost: Lost) -> bool:
    """Whoever is live works with the one database that can be written to, and nobody else stands
    that works with another one."""
    return (
        lost.writable == {lost.works_with()} == {lost.server.current}
        and not lost.restoring
        and lost.story.record.confirmed
        and lost.story.record.holder is None
    )


def has_begun(lost: Lost, run: Program) -> bool:
    """It holds the fence: it is not a new one that begins after whatever comes next."""
    holder = lost.story.record.holder
    return run.can_go and holder is not None and holder.run_id == run.run_id


@pytest.mark.parametrize("calls", range(CALLS))
def test_the_reconciler_ends_what_a_killed_restore_left(lost: Lost, calls: int) -> None:
    before = lost.story.live
    run = lost.begun()
    run.go(calls)
    run.kill()
    moved = lost.story.live != before
    lost.story.run(programs.run_reconciler)
    assert is_whole(lost)
    previous = lost.story.record.previous
    assert (lost.works_with() != OWN) is moved
    assert len(lost.server.databases) == 1 + moved
    assert lost.story.told.count("restore") == moved
    if moved:
        assert (previous, lost.story.standing) == (None, {lost.story.live.name})
    else:
        assert previous
        assert lost.story.standing == {before.name, previous.name}


@pytest.mark.parametrize("calls", range(0, CALLS, 3))
def test_a_reconciler_that_is_killed_itself_is_gone_on_with(lost: Lost, calls: int) -> None:
    run = lost.begun()
    run.go(calls)
    run.kill()
    moved = lost.story.live.name.endswith("-2")
    for turn in range(0, 120, 7):
        half = lost.story.program(programs.run_reconciler)
        half.go(turn)
        half.kill()
        lost.story.clock.advance(20)
    lost.story.run(programs.run_reconciler)
    assert is_whole(lost)
    assert (lost.works_with() != OWN) is moved


@pytest.mark.parametrize("calls", range(0, CALLS, 2))
def test_an_interrupt_ends_it_at_once(lost: Lost, calls: int) -> None:
    before = lost.story.live
    run = lost.begun()
    run.go(calls)
    run.interrupt()
    run.finish()
    moved = lost.story.live != before
    assert lost.writable == {lost.works_with()}
    lost.story.run(programs.run_reconciler)  # confirms what was moved
    assert is_whole(lost)
    assert (lost.works_with() != OWN) is moved


@pytest.mark.parametrize("calls", range(0, CALLS, 2))
def test_a_second_restore_ends_the_dead_one_first(lost: Lost, calls: int) -> None:
    run = lost.begun()
    run.go(calls)
    run.kill()
    again = lost.restore()
    assert again.error is None
    assert is_whole(lost)
    assert lost.server.current == f"api_restored_{short_id(again.run_id)}"


@pytest.mark.parametrize("calls", range(0, CALLS, 2))
def test_a_persons_rollback_preempts_it_until_it_has_moved_the_traffic(
    lost: Lost, calls: int
) -> None:
    old = lost.story.record.previous
    assert old
    run = lost.begun()
    run.go(calls)
    if not has_begun(lost, run):
        return
    moved = lost.story.record.moved_by is MovedBy.RESTORE
    back = lost.story.roll_back()
    run.finish()
    lost.story.run(programs.run_reconciler)
    assert is_whole(lost)
    if moved:
        assert isinstance(back.error, Refused)
        assert lost.works_with() != OWN
    else:
        assert back.error is None
        assert (lost.story.live, lost.works_with()) == (old, OWN)
        assert lost.server.databases.keys() == {OWN}


@pytest.mark.parametrize("calls", range(0, CALLS, 2))
def test_a_restore_that_wakes_up_late_changes_nothing_any_more(lost: Lost, calls: int) -> None:
    run = lost.begun()
    run.go(calls)
    if not has_begun(lost, run):
        return
    run.freeze()
    lost.story.clock.advance(20)
    lost.story.run(programs.run_reconciler)
    assert is_whole(lost)
    before, databases = lost.story.record, dict(lost.server.databases)
    run.wake()
    run.finish()
    assert lost.story.record == before
    assert lost.server.databases == databases
    lost.story.run(programs.run_reconciler)  # it may have said that it restores, and no more
    assert is_whole(lost)
    assert lost.server.databases == databases


@pytest.mark.parametrize("calls", range(16, 40, 2))
def test_a_late_restore_is_not_in_the_way_of_another_one(lost: Lost, calls: int) -> None:
    run = lost.begun()
    run.go(calls)
    if not has_begun(lost, run):
        return
    run.freeze()
    lost.story.clock.advance(20)
    again = lost.begun()
    lost.story.go_until(again, lambda: lost.server.read_only and has_begun(lost, again))
    run.wake()
    run.finish()
    again.finish()
    assert again.error is None
    lost.story.run(programs.run_reconciler)
    assert is_whole(lost)
    assert lost.server.current == f"api_restored_{short_id(again.run_id)}"
    assert lost.server.read_only == {OWN}


def test_users_may_write_again_before_anything_else_is_ended(lost: Lost) -> None:
    run = lost.begun()
    lost.story.go_until(run, lambda: len(lost.story.standing) == 3)
    run.kill()
    reconciler = lost.story.program(programs.run_reconciler)
    lost.story.go_until(reconciler, lambda: OWN in lost.writable)
    assert len(lost.story.standing) == 3
    reconciler.finish()
    assert is_whole(lost)


def test_a_dead_restore_is_worth_a_run(lost: Lost) -> None:
    """Also where it has let its fence go, and could not end what it had begun."""
    lost.server.troubles |= {"restore": "the dump cannot be read", "drop": "the server is down"}
    run = lost.restore()
    platform = replace(programs.platform_of(run, lost.story.service), target=lost.story.target)
    assert any("the restore is not ended" in each for each in look(platform, Seen(), 100).needed)
    lost.server.troubles.clear()
    lost.story.run(programs.run_reconciler)
    assert is_whole(lost)
    assert not any("restore" in each for each in look(platform, Seen(), 200).needed)


def test_alerts_launch_nothing_and_nothing_is_released_while_it_restores(lost: Lost) -> None:
    run = lost.begun()
    lost.story.go_until(run, lambda: lost.restoring)
    platform = replace(programs.platform_of(run, lost.story.service), target=lost.story.target)
    ledger = lost.story.target.ledger
    with pytest.raises(Refused, match="api is being restored: ann is restoring backup"):
        restrictions.require_not_restoring(ledger, "api")
    verdict = judge(an_alert(lost.story.world), situation(platform))
    assert not verdict.launch
    assert "ann is restoring backup" in verdict.why
    automatic = lost.story.roll_back(by_alert=True)
    assert isinstance(automatic.error, Refused)
    assert "is being restored" in automatic.error.what
    run.finish()
    assert run.error is None
    restrictions.require_not_restoring(ledger, "api")
