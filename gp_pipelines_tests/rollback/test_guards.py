"""Each guard holds back what it is there for; taken out, its case here is launched."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from gp_pipelines import restrictions, rollbacks
from gp_pipelines.model import AutomaticRollback, MovedBy
from gp_pipelines.restrictions import Quarantine
from gp_pipelines.rollback import guards
from gp_pipelines.rollback.guards import MOST_ATTEMPTS, Verdict, judge, situation
from gp_pipelines_tests.faults.fake_target import FakeTarget, World
from gp_pipelines_tests.faults.taken_out import Change
from gp_pipelines_tests.faults.taken_out import changed as without
from gp_pipelines_tests.rollback.watched import an_alert, changed, gone_bad, platform


@dataclass(frozen=True)
class Case:
    """An alert that would be launched, but for what is special here."""

    alert: Mapping[str, Any] = field(default_factory=dict)  # see `an_alert`
    there: Callable[[World], object] = lambda world: None
    alerts: Mapping[str, Any] = field(default_factory=dict)  # of the service


@dataclass(frozen=True)
class Held:
    """`guard` is the rule that holds it back, and `why` what it says."""

    why: str
    guard: Change
    case: Case


def _snooze(world: World, seconds: float = 60) -> None:
    until = world.now + timedelta(seconds=seconds)
    restrictions.snooze(FakeTarget(world).ledger, until, "ann", "a load test")


def _quarantine_old(world: World) -> None:
    old = world.record.previous
    assert old is not None
    found = Quarantine(old.version, old.digest, old.config_hash, "ann", "it loses data", world.now)
    restrictions.quarantine(FakeTarget(world).ledger, found)


def _undone(world: World, release_id: str, hours: float = 1) -> None:
    at = world.now - timedelta(hours=hours)
    changed(world, automatic=(*world.record.automatic, AutomaticRollback(release_id, at)))


def _undone_often(world: World, hours: float = 1, times: int = 3) -> None:
    for number in range(times):
        _undone(world, f"older-{number}", hours)


def _begun(world: World, outcome: str | None, times: int = 1) -> None:
    ledger = FakeTarget(world).ledger
    for _ in range(times):
        rollbacks.began(ledger, "release-2", "run-7", world.now, reason="bad", alert=None)
    if outcome:
        rollbacks.ended(ledger, "release-2", outcome, world.now, "there was no room")


CASES = {
    "it is over": Held(
        "it is resolved",
        Change(guards._not_meant, "alert.resolved"),
        Case(alert={"resolved": True}),
    ),
    "it is about another service": Held(
        "it names another service",
        Change(guards._not_meant, 'alert.labels.get("service") != service.name'),
        Case(alert={"labels": {"service": "web"}}),
    ),
    "it is not to roll back": Held(
        "it is not labelled auto_rollback=true",
        Change(guards._not_meant, "if missing", "if False"),
        Case(alert={"labels": {"auto_rollback": "false"}}),
    ),
    "the service listens to others": Held(
        "it is not labelled team=api",
        Change(guards._not_meant, "if missing", "if False"),
        Case(alerts={"match": {"team": "api"}}),
    ),
    "it is about another release": Held(
        "it names a release that is not live; v2 (#2, green) is",
        Change(guards._names_another, "release and release != live.release_id"),
        Case(alert={"labels": {"release_id": "release-1"}}),
    ),
    "it is about another color": Held(
        "it names a color that is not live; green is",
        Change(guards._names_another, "color and color != live.color"),
        Case(alert={"labels": {"color": "blue"}}),
    ),
    "it began before the switch": Held(
        "it began before the switch",
        Change(guards._began_too_early, "alert.starts_at < switched_at:", "False:"),
        Case(alert={"after": -1, "labels": {"release_id": "release-2"}}),
    ),
    "its window may hold the old version's errors": Held(
        "it names neither release nor color, and began less than 60 s after the switch",
        Change(guards._began_too_early, "not names and", "False and"),
        Case(alert={"after": 59}),
    ),
    "there is nothing to go back to": Held(
        "there is no previous version",
        Change(guards._not_allowed, "record.previous is None"),
        Case(there=lambda world: changed(world, previous=None)),
    ),
    "what it would go back to is in quarantine": Held(
        "v1 (#1, blue) is in quarantine itself",
        Change(guards._not_allowed, "there.previous_quarantined"),
        Case(there=_quarantine_old),
    ),
    "a rollback put it there": Held(
        "v2 (#2, green) was not put there by a release",
        Change(guards._not_allowed, "record.moved_by is not MovedBy.RELEASE"),
        Case(there=lambda world: changed(world, moved_by=MovedBy.ROLLBACK)),
    ),
    "a person's repair put it there": Held(
        "v2 (#2, green) was not put there by a release",
        Change(guards._not_allowed, "record.moved_by is not MovedBy.RELEASE"),
        Case(there=lambda world: changed(world, moved_by=MovedBy.REPAIR)),
    ),
    "alerts are snoozed": Held(
        "UTC by ann",
        Change(guards._not_allowed, "there.snoozed is not None"),
        Case(there=_snooze),
    ),
    "an alert has undone it once": Held(
        "an alert has undone this release once",
        Change(guards._not_allowed, "each.release_id == record.live.release_id"),
        Case(there=lambda world: _undone(world, "release-2", hours=30)),
    ),
    "it is enough for a day": Held(
        "3 automatic rollbacks within a day are enough",
        Change(guards._not_allowed, "there.automatic_today >= alerts.max_automatic_rollbacks"),
        Case(there=_undone_often),
    ),
    "none is allowed at all": Held(
        "0 automatic rollbacks within a day are enough",
        Change(guards._not_allowed, "there.automatic_today >= alerts.max_automatic_rollbacks"),
        Case(alerts={"max_automatic_rollbacks": 0}),
    ),
    "a rollback is under way": Held(
        "run run-7 is at it",
        Change(guards._begun_already, "rollback.outcome is None"),
        Case(there=lambda world: _begun(world, None)),
    ),
    "it was refused": Held(
        "it was refused: there was no room",
        Change(guards._begun_already, 'rollback.outcome == "refused"'),
        Case(there=lambda world: _begun(world, "refused")),
    ),
    "it was tried often": Held(
        "3 runs have failed, the last one so: there was no room",
        Change(guards._begun_already, "rollback.attempts >= MOST_ATTEMPTS"),
        Case(there=lambda world: _begun(world, "failed", MOST_ATTEMPTS)),
    ),
    "it may go away by itself": Held(
        "it is waited for 20.0 s more, whether it stays",
        Change(guards._too_early, "if wait > 0", "if False"),
        Case(alerts={"debounce_seconds": 30}),
    ),
}


def verdict(case: Case) -> Verdict:
    world = gone_bad()
    case.there(world)
    fields = dict(case.alert)
    alert = an_alert(world, fields.pop("after", 100.0), fields.pop("labels", None), **fields)
    return judge(alert, situation(platform(world, **case.alerts)))


@pytest.mark.parametrize("name", CASES)
def test_a_guard_holds_the_alert_back_and_says_why(name: str) -> None:
    found = verdict(CASES[name].case)
    assert not found.launch
    assert CASES[name].why in found.why


@pytest.mark.parametrize("name", CASES)
def test_without_its_guard_it_is_launched(name: str) -> None:
    with without(CASES[name].guard):
        assert verdict(CASES[name].case).launch


def test_nothing_is_launched_where_nothing_is_live() -> None:
    world = gone_bad()
    alert = an_alert(world)
    changed(world, live=None, previous=None, switched_at=None)
    assert judge(alert, situation(platform(world))) == Verdict(False, "nothing is live")


ALLOWED = {
    "it began while the bad version was live": Case(),
    "it names the release, at once": Case(
        alert={"after": 0, "labels": {"release_id": "release-2"}}
    ),
    "it names the color, at once": Case(alert={"after": 0, "labels": {"color": "green"}}),
    "it names nothing, and began when it was late enough": Case(alert={"after": 60}),
    "the service does not wait for attribution": Case(
        alert={"after": 0}, alerts={"attribution_seconds": 0}
    ),
    "the snooze is over": Case(there=lambda world: _snooze(world, -1)),
    "other releases were undone, days ago": Case(
        there=lambda world: _undone_often(world, hours=25)
    ),
    "two others were undone today": Case(there=lambda world: _undone_often(world, times=2)),
    "a run has failed, and may be tried again": Case(there=lambda world: _begun(world, "failed")),
    "it has stayed for long enough": Case(alerts={"debounce_seconds": 10}),
    "the service is frozen by hand, which holds no rollback back": Case(
        there=lambda world: restrictions.freeze(
            FakeTarget(world).ledger, "ann", "holidays", world.now
        )
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_launched(name: str) -> None:
    found = verdict(ALLOWED[name])
    assert found.launch, found.why


@pytest.fixture
def unfrozen() -> World:
    world = gone_bad()
    _undone_often(world)
    ledger = FakeTarget(world).ledger
    restrictions.unfreeze(ledger, "ann", "it was the load balancer", world.now)
    return world


def test_a_target_whose_clock_is_behind_makes_nobody_wait() -> None:
    world = gone_bad()
    alert = an_alert(world, seen_at=world.now + timedelta(seconds=30))
    assert judge(alert, situation(platform(world))).launch


def test_who_unfreezes_lets_alerts_act_again(unfrozen: World) -> None:
    assert judge(an_alert(unfrozen), situation(platform(unfrozen))).launch


def test_what_is_said_to_people_names_versions_not_a_strangers_text() -> None:
    world = gone_bad()
    wild = 'a\nb "ünïcödé" password=hunter2 \x1b[31m'
    labels = {"release_id": wild, "color": wild, "service": "api", "alertname": wild}
    found = judge(an_alert(world, labels=labels), situation(platform(world)))
    assert not found.launch
    assert "hunter2" not in found.why
    assert "\n" not in found.why
