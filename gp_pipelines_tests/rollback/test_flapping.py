"""Alerts undo a release once, and a few releases a day; then a person has to say that they may."""

from datetime import timedelta

import pytest

from gp_pipelines import restrictions, rollbacks
from gp_pipelines.errors import Refused
from gp_pipelines.model import AutomaticRollback
from gp_pipelines.restrictions import Quarantine
from gp_pipelines.rollback.assessment import HeldBack
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.faults.programs import Release
from gp_pipelines_tests.faults.story import Story
from gp_pipelines_tests.rollback.conftest import Gone

DAY = 24 * 3600.0


@pytest.fixture
def flapped(story: Story) -> list[Release]:
    """Three releases, each undone by an alert: as many as may be in a day."""
    story.release("0")
    found = []
    for version in "123":
        found.append(story.release(version))
        assert isinstance(story.roll_back(found[-1], by_alert=True).gave, RolledBack)
    return found


def is_frozen(story: Story) -> bool:
    ledger, record = story.target.ledger, story.record
    limit = story.service.alerts.max_automatic_rollbacks
    return restrictions.frozen(ledger, record, limit, story.world.now) is not None


def unfreeze(story: Story) -> None:
    restrictions.unfreeze(story.target.ledger, "ann", "it was the network", story.world.now)


def refusal(release: Release) -> str:
    assert release.run
    assert isinstance(release.run.error, Refused), release.run.error
    return str(release.run.error)


def test_each_automatic_rollback_is_counted_in_the_write_that_moves_traffic(
    story: Story, gone: Gone
) -> None:
    run = story.rollback(gone.release, by_alert=True)
    story.go_until(run, lambda: story.live == gone.old)
    assert story.record.switched_at is not None
    counted = AutomaticRollback(gone.release.release_id, story.record.switched_at)
    assert story.record.automatic == (counted,)


def test_a_persons_rollbacks_are_not_counted(story: Story, gone: Gone) -> None:
    story.roll_back(gone.release)
    assert story.record.automatic == ()


def test_after_so_many_in_a_day_the_service_is_frozen(story: Story, flapped: list[Release]) -> None:
    assert is_frozen(story)
    message = refusal(story.release("4"))
    assert "api is frozen by gp_pipelines" in message
    assert "3 automatic rollbacks within a day" in message
    assert "gp unfreeze api" in message


def test_it_stays_frozen_until_a_person_unfreezes_it_however_long_that_takes(
    story: Story, flapped: list[Release]
) -> None:
    story.clock.advance(3 * DAY)
    assert "is frozen" in refusal(story.release("4"))
    unfreeze(story)
    assert story.release("4").run.error is None  # type: ignore[union-attr]


@pytest.mark.parametrize("calls", range(10, 60, 3))
def test_also_where_the_last_rollback_was_killed(story: Story, calls: int) -> None:
    story.release("0")
    for version in "12":
        story.roll_back(story.release(version), by_alert=True)
    third = story.release("3")
    run = story.rollback(third, by_alert=True)
    run.go(calls)
    run.kill()
    story.run(programs.run_reconciler)
    story.clock.advance(3 * DAY)
    assert is_frozen(story) is (len(story.record.automatic) == 3)


def test_no_alert_undoes_a_release_of_a_service_that_has_flapped(story: Story) -> None:
    """The limit came down, or the freeze was of a race: the limit holds by itself."""
    story.release("0")
    for version in "12":
        story.roll_back(story.release(version), by_alert=True)
    fourth = story.release("4")
    alerts = story.service.alerts.model_copy(update={"max_automatic_rollbacks": 2})
    story.service = story.service.model_copy(update={"alerts": alerts})
    run = story.roll_back(fourth, by_alert=True)
    assert isinstance(run.error, Refused)
    assert "within a day are enough" in str(run.error)
    assert "gp rollback api --reason" in run.error.advice
    assert story.live.version == "4"
    assert isinstance(story.roll_back(fourth).gave, RolledBack)  # a person's goes through


def test_a_limit_of_none_allows_none_and_freezes_nothing(story: Story, gone: Gone) -> None:
    alerts = story.service.alerts.model_copy(update={"max_automatic_rollbacks": 0})
    story.service = story.service.model_copy(update={"alerts": alerts})
    assert isinstance(story.roll_back(gone.release, by_alert=True).error, Refused)
    assert not is_frozen(story)
    assert isinstance(story.roll_back(gone.release).gave, RolledBack)


def test_those_of_yesterday_count_no_longer(story: Story) -> None:
    story.release("0")
    for version in "12":
        story.roll_back(story.release(version), by_alert=True)
    story.clock.advance(DAY + 1)
    story.roll_back(story.release("3"), by_alert=True)
    assert not is_frozen(story)
    assert len(story.record.automatic) == 3


def test_unfreezing_starts_the_count_anew(story: Story, flapped: list[Release]) -> None:
    story.clock.advance(1)
    unfreeze(story)
    story.clock.advance(1)
    for version in "45":
        again = story.roll_back(story.release(version), by_alert=True)
        assert isinstance(again.gave, RolledBack)
        assert not is_frozen(story)
        story.clock.advance(1)
    story.roll_back(story.release("6"), by_alert=True)
    assert is_frozen(story)


def test_a_release_that_was_undone_and_brought_back_is_not_undone_by_an_alert_again(
    story: Story, gone: Gone
) -> None:
    story.service = programs.a_service(keep_failed_seconds=600)
    story.roll_back(gone.release, by_alert=True)
    story.world.edit(gone.bad.color)
    story.run(programs.run_repair)
    assert story.live == gone.bad
    run = story.roll_back(gone.release, by_alert=True)
    assert isinstance(run.error, Refused)
    assert "An alert has undone release" in str(run.error)
    assert story.live == gone.bad


def test_a_snooze_refuses_alerts_and_no_person(story: Story, gone: Gone) -> None:
    until = story.world.now + timedelta(seconds=100)
    restrictions.snooze(story.target.ledger, until, "ann", "a load test")
    run = story.roll_back(gone.release, by_alert=True)
    assert isinstance(run.error, Refused)
    assert "snoozed until" in str(run.error)
    assert story.live == gone.bad
    assert isinstance(story.roll_back(gone.release).gave, RolledBack)


def test_an_alert_that_was_held_back_may_act_once_that_is_over(story: Story, gone: Gone) -> None:
    """The refusal of a run that a snooze came before is no refusal for good."""
    until = story.world.now + timedelta(seconds=60)
    restrictions.snooze(story.target.ledger, until, "ann", "a load test")
    assert isinstance(story.roll_back(gone.release, by_alert=True).error, HeldBack)
    assert rollbacks.found(story.target.ledger, gone.release.release_id) is None


def test_an_alert_does_not_go_back_to_what_is_in_quarantine_and_a_person_does(
    story: Story, gone: Gone
) -> None:
    old = gone.old
    found = Quarantine(
        old.version, old.digest, old.config_hash, "ann", "it loses data", story.world.now
    )
    restrictions.quarantine(story.target.ledger, found)
    assert "in quarantine itself" in str(story.roll_back(gone.release, by_alert=True).error)
    assert isinstance(story.roll_back(gone.release).gave, RolledBack)


@pytest.mark.parametrize("by_time", [True, False])
def test_a_snooze_ends_by_itself_or_by_watch(story: Story, gone: Gone, by_time: bool) -> None:
    until = story.world.now + timedelta(seconds=100)
    restrictions.snooze(story.target.ledger, until, "ann", "a load test")
    if by_time:
        story.clock.advance(101)
    else:
        restrictions.watch(story.target.ledger)
    assert isinstance(story.roll_back(gone.release, by_alert=True).gave, RolledBack)


class TestFrozenByAPerson:
    @pytest.fixture(autouse=True)
    def frozen(self, story: Story, gone: Gone) -> None:
        restrictions.freeze(story.target.ledger, "ann", "a public holiday", story.world.now)

    def test_nothing_is_released(self, story: Story, gone: Gone) -> None:
        message = refusal(story.release("3"))
        assert "frozen by ann" in message
        assert "a public holiday" in message
        assert story.live == gone.bad

    def test_alerts_and_people_still_roll_back(self, story: Story, gone: Gone) -> None:
        assert isinstance(story.roll_back(gone.release, by_alert=True).gave, RolledBack)
        assert is_frozen(story)

    def test_what_is_due_is_still_retired(self, story: Story, gone: Gone) -> None:
        story.clock.advance(61)
        assert story.run(programs.run_cleanup).error is None
        assert story.standing == {gone.bad.name}

    def test_what_a_dead_run_left_is_still_ended(self, story: Story, gone: Gone) -> None:
        restrictions.unfreeze(story.target.ledger, "ann", "", story.world.now)
        run = story.begun(story.new("3"))
        story.go_until(run, lambda: story.live.version == "3")
        run.kill()
        restrictions.freeze(story.target.ledger, "ann", "a public holiday", story.world.now)
        story.run(programs.run_reconciler)
        assert story.record.confirmed


def frozen_meanwhile(story: Story, run: Program) -> Program:
    restrictions.freeze(story.target.ledger, "ann", "a public holiday", story.world.now)
    run.finish()
    return run


def test_a_release_under_way_stops_before_its_switch_when_its_service_is_frozen(
    story: Story, gone: Gone
) -> None:
    third = story.new("3")
    run = story.begun(third)
    story.go_until(run, lambda: third.next_step == "switch")
    assert "is frozen" in str(frozen_meanwhile(story, run).error)
    assert story.live == gone.bad
    assert third.plan
    assert third.plan.slot_name not in story.standing


def test_what_waits_is_not_promoted_while_frozen(story: Story, gone: Gone) -> None:
    story.release("3", manual=True)
    run = frozen_meanwhile(story, story.program(programs.run_promotion))
    assert "is frozen" in str(run.error)
    assert story.live == gone.bad
    assert story.record.waiting is not None
    unfreeze(story)
    assert story.run(programs.run_promotion).error is None
    assert story.live.version == "3"
