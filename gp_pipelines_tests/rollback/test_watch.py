"""What is launched for a service, how often, and when something else is left to do it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from gp_pipelines import rollbacks
from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Holder
from gp_pipelines.rollback import watch
from gp_pipelines.rollback.guards import MOST_ATTEMPTS
from gp_pipelines.rollback.watch import (
    DEAD_AFTER_SECONDS,
    LOST_AFTER_SECONDS,
    MOST_LAUNCHES,
    PUSHED_WITHIN_SECONDS,
    Look,
    Memory,
    look,
)
from gp_pipelines_tests.faults.fake_target import FakeTarget, World
from gp_pipelines_tests.faults.taken_out import Change
from gp_pipelines_tests.faults.taken_out import changed as without
from gp_pipelines_tests.rollback.watched import an_alert, changed, gone_bad, platform

NOW = 1_000_000.0
ALERT = {"feed": "probe", "name": "HighErrorRate", "fingerprint": "f1"}
SEEN = {**ALERT, "starts_at": "2026-02-03T04:05:06+00:00", "seen_at": "2026-02-03T04:05:07+00:00"}
HOLDER = Holder("run-7", "release-2", "rollback", "alert:f1", 2)


@pytest.fixture
def world() -> World:
    return gone_bad()


@pytest.fixture
def memory() -> Memory:
    return Memory()


def looked(world: World, memory: Memory, now: float, *alerts: Any, **fields: Any) -> Look:
    found = alerts or (an_alert(world),)
    pushed = fields.pop("pushed", False)
    return look(platform(world, **fields), found, memory, now, pushed=pushed)


def begin(world: World, alert: Any = None, outcome: str | None = None, times: int = 1) -> None:
    """As a rollback's run leaves it on the target."""
    ledger = FakeTarget(world).ledger
    for _ in range(times):
        rollbacks.began(ledger, "release-2", "run-7", world.now, reason="bad", alert=alert)
    if outcome:
        rollbacks.ended(ledger, "release-2", outcome, world.now, "no room")


def test_an_alert_launches_a_rollback_of_what_is_live(world: World, memory: Memory) -> None:
    wanted = looked(world, memory, NOW).wanted
    assert wanted is not None
    assert (wanted.service, wanted.request.release_id) == ("api", "release-2")
    assert wanted.request.alert is not None
    assert wanted.request.automatic
    assert wanted.key == "api:release-2:0"


def test_the_request_has_what_is_kept_of_the_alert(world: World, memory: Memory) -> None:
    alert = an_alert(world)
    wanted = looked(world, memory, NOW, alert).wanted
    assert wanted is not None
    seen = wanted.request.alert
    assert seen is not None
    assert (seen.feed, seen.name, seen.fingerprint) == ("alertmanager", "HighErrorRate", "f1")
    assert datetime.fromisoformat(seen.starts_at) == alert.starts_at
    assert datetime.fromisoformat(seen.seen_at) == alert.seen_at
    assert datetime.fromisoformat(seen.decided_at) == world.now
    assert "HighErrorRate (alertmanager) fires since" in wanted.request.reason


def test_of_many_alerts_the_one_that_began_first_is_named(world: World, memory: Memory) -> None:
    late = an_alert(world, 200, {"alertname": "Late"})
    early = an_alert(world, 100, {"alertname": "Early"})
    wanted = looked(world, memory, NOW, late, early).wanted
    assert wanted is not None
    assert wanted.request.alert is not None
    assert wanted.request.alert.name == "Early"


def test_an_alert_that_is_held_back_does_not_hide_the_next_one(
    world: World, memory: Memory
) -> None:
    meant = an_alert(world, 200, {"alertname": "Meant"})
    wanted = looked(world, memory, NOW, an_alert(world, -10), meant).wanted
    assert wanted is not None
    assert wanted.alert == meant


def test_why_nothing_is_launched_is_counted_by_reason(world: World, memory: Memory) -> None:
    early = [an_alert(world, -n) for n in (1, 2, 3)]
    found = looked(world, memory, NOW, *early, an_alert(world, resolved=True))
    assert found == Look(notes=("3 alerts: it began before the switch", "it is resolved"))


def test_it_is_launched_once(world: World, memory: Memory) -> None:
    assert looked(world, memory, NOW).wanted
    soon = looked(world, memory, NOW + LOST_AFTER_SECONDS - 1, an_alert(world, 110))
    assert soon == Look(notes=("a run was launched for it just now",))


def test_a_run_that_never_began_is_launched_again(world: World, memory: Memory) -> None:
    assert looked(world, memory, NOW).wanted
    again = looked(world, memory, NOW + LOST_AFTER_SECONDS).wanted
    assert again is not None
    assert again.key == "api:release-2:1"


def test_what_never_begins_is_not_launched_for_ever(world: World, memory: Memory) -> None:
    for number in range(MOST_LAUNCHES):
        assert looked(world, memory, NOW + number * LOST_AFTER_SECONDS).wanted
    found = looked(world, memory, NOW + 1000 * LOST_AFTER_SECONDS)
    assert found.wanted is None
    assert found.notes == (f"{MOST_LAUNCHES} runs were launched for it, and none has come to it",)


def test_another_release_is_counted_anew(world: World, memory: Memory) -> None:
    for number in range(MOST_LAUNCHES):
        looked(world, memory, NOW + number * LOST_AFTER_SECONDS)
    assert world.record.live
    changed(world, live=replace(world.record.live, release_id="release-3"))
    wanted = looked(world, memory, NOW + MOST_LAUNCHES * LOST_AFTER_SECONDS).wanted
    assert wanted is not None
    assert wanted.key == "api:release-3:0"


def test_what_comes_by_the_webhook_is_left_to_it_for_a_moment(world: World, memory: Memory) -> None:
    alert = an_alert(world, feed="webhook", seen_at=world.now)
    came = alert.seen_at.timestamp()
    left = looked(world, memory, came + PUSHED_WITHIN_SECONDS - 0.1, alert)
    assert left == Look(notes=("it came by the webhook, which launches the run itself",))
    assert looked(world, memory, came + PUSHED_WITHIN_SECONDS, alert).wanted


def test_other_feeds_do_not_wait_for_the_webhook(world: World, memory: Memory) -> None:
    alert = an_alert(world, seen_at=world.now)
    assert looked(world, memory, alert.seen_at.timestamp(), alert).wanted


def test_the_webhook_itself_launches_at_once(world: World, memory: Memory) -> None:
    alert = an_alert(world, feed="webhook", seen_at=world.now)
    assert looked(world, memory, alert.seen_at.timestamp(), alert, pushed=True).wanted


def test_what_the_webhook_has_launched_is_launched_again_only_if_it_was_lost(
    world: World, memory: Memory
) -> None:
    alert = an_alert(world, feed="webhook", launched="run-7")
    assert looked(world, memory, NOW, alert).notes == (
        "run run-7 was launched for it by the webhook",
    )
    assert looked(world, memory, NOW + LOST_AFTER_SECONDS - 1, alert).wanted is None
    assert looked(world, memory, NOW + LOST_AFTER_SECONDS, alert).wanted


def test_a_failed_rollback_is_launched_again_also_when_nothing_fires_any_more(
    world: World, memory: Memory
) -> None:
    begin(world, SEEN, "failed")
    wanted = look(platform(world), (), memory, NOW).wanted
    assert wanted is not None
    assert wanted.request.release_id == "release-2"
    assert wanted.request.alert is not None
    assert wanted.request.alert.fingerprint == "f1"


def test_a_retry_follows_at_once_and_once_for_each_run_that_has_failed(
    world: World, memory: Memory
) -> None:
    assert looked(world, memory, NOW, an_alert(world)).wanted
    begin(world, SEEN, "failed")
    assert looked(world, memory, NOW + 1).wanted
    assert looked(world, memory, NOW + 2).wanted is None  # it has not begun yet
    begin(world, SEEN, "failed")
    assert looked(world, memory, NOW + 3).wanted


def test_it_is_tried_only_so_often(world: World, memory: Memory) -> None:
    begin(world, SEEN, "failed", MOST_ATTEMPTS)
    found = looked(world, memory, NOW)
    assert found.wanted is None
    assert found.notes == ("3 runs have failed, the last one so: no room",)


def test_a_refused_one_is_not_tried_again(world: World, memory: Memory) -> None:
    begin(world, SEEN, "refused")
    assert look(platform(world), (), memory, NOW).wanted is None


def test_one_whose_precondition_is_gone_is_not_tried_again(world: World, memory: Memory) -> None:
    begin(world, SEEN, "failed")
    changed(world, previous=None)
    assert look(platform(world), (), memory, NOW).wanted is None


def test_one_that_lives_is_left_alone(world: World, memory: Memory) -> None:
    begin(world, SEEN)
    changed(world, holder=HOLDER)
    for seconds in range(0, 60, 2):
        FakeTarget(world).traffic.renew("run-7", world.record.fence)
        found = looked(world, memory, NOW + seconds)
        assert found == Look(notes=("run run-7 is at it",))


@pytest.mark.parametrize("holder", [HOLDER, None])
def test_one_that_shows_no_life_is_launched_again(
    world: World, memory: Memory, holder: Holder | None
) -> None:
    begin(world, SEEN)
    changed(world, holder=holder)
    assert looked(world, memory, NOW).wanted is None
    assert looked(world, memory, NOW + DEAD_AFTER_SECONDS - 0.1).wanted is None
    assert looked(world, memory, NOW + DEAD_AFTER_SECONDS).wanted


def test_a_person_who_failed_is_not_followed_by_a_run_that_nobody_asked_for(
    world: World, memory: Memory
) -> None:
    begin(world, None, "failed")
    assert look(platform(world), (), memory, NOW).wanted is None


def test_a_persons_rollback_that_died_does_not_hold_an_alert_back_for_ever(
    world: World, memory: Memory
) -> None:
    begin(world, None)
    assert looked(world, memory, NOW).notes == ("run run-7 is at it",)
    assert look(platform(world), (), memory, NOW + DEAD_AFTER_SECONDS).wanted is None
    wanted = looked(world, memory, NOW + DEAD_AFTER_SECONDS).wanted
    assert wanted is not None
    assert wanted.request.automatic


def test_a_dry_run_launches_nothing_and_is_told_once_for_each_alert(
    world: World, memory: Memory
) -> None:
    first = looked(world, memory, NOW, dry_run=True)
    assert first.wanted is None
    assert first.dry is not None
    assert first.notes == ("dry run: HighErrorRate would have undone release-2",)
    again = looked(world, memory, NOW + 60, dry_run=True)
    assert (again.wanted, again.dry, again.notes) == (None, None, first.notes)
    anew = an_alert(world, 110)
    assert looked(world, memory, NOW + 61, anew, dry_run=True).dry is not None


def test_a_dry_run_counts_as_no_launch(world: World, memory: Memory) -> None:
    assert looked(world, memory, NOW, dry_run=True).dry
    assert looked(world, memory, NOW + 1).wanted


def test_the_guards_hold_a_dry_run_back_too(world: World, memory: Memory) -> None:
    found = looked(world, memory, NOW, an_alert(world, -1), dry_run=True)
    assert (found.dry, found.notes) == (None, ("it began before the switch",))


def test_an_alert_that_is_over_before_it_was_waited_for_does_nothing(
    world: World, memory: Memory
) -> None:
    alert = an_alert(world, seen_at=world.now)
    assert looked(world, memory, NOW, alert, debounce_seconds=30).wanted is None
    world.seconds += 31
    over = replace(alert, resolved=True)
    assert looked(world, memory, NOW + 31, over, debounce_seconds=30).wanted is None
    assert looked(world, memory, NOW + 31, alert, debounce_seconds=30).wanted


WILD = 'a\nb "ünïcödé" 🏴‍☠️ password=hunter2 \x1b[31m {{ x }} %s ' + "long " * 200


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_strangers_text_comes_in_quoted(world: World, memory: Memory, dry_run: bool) -> None:
    alert = an_alert(world, labels={"alertname": WILD, "pod": WILD})
    found = looked(world, memory, NOW, alert, dry_run=dry_run)
    wanted = found.dry or found.wanted
    assert wanted is not None
    assert wanted.request.alert is not None
    for said in (wanted.request.reason, wanted.request.alert.name, *found.notes):
        assert "hunter2" not in said
        assert said.isprintable()
        assert len(said) < 400
    assert "ünïcödé" in wanted.request.reason


def test_a_target_that_cannot_be_read_is_not_judged(world: World, memory: Memory) -> None:
    world.unavailable = True
    with pytest.raises(TargetUnavailable):
        look(platform(world), [], memory, NOW)


RULES = {
    "launched once": (
        Change(watch._launch, "now - before.at < LOST_AFTER_SECONDS"),
        test_it_is_launched_once,
    ),
    "not for ever": (
        Change(watch._launch, "before.count >= MOST_LAUNCHES"),
        test_what_never_begins_is_not_launched_for_ever,
    ),
    "left to the webhook": (
        Change(watch._is_pushed, 'alert.feed == "webhook"'),
        test_what_comes_by_the_webhook_is_left_to_it_for_a_moment,
    ),
    "not longer than a moment": (
        Change(watch._is_pushed, "< PUSHED_WITHIN_SECONDS", "< 1000"),
        test_what_comes_by_the_webhook_is_left_to_it_for_a_moment,
    ),
    "the living is left alone": (
        Change(watch._is_silent, "seen != (memory.fence, memory.renewals)"),
        test_one_that_lives_is_left_alone,
    ),
    "the dead is followed": (
        Change(watch._without_dead, "not _is_silent(platform, there.record, memory, now)", "True"),
        test_a_persons_rollback_that_died_does_not_hold_an_alert_back_for_ever,
    ),
    "tried so often": (
        Change(watch._unfinished, "found.attempts >= MOST_ATTEMPTS"),
        test_it_is_tried_only_so_often,
    ),
    "a person's is a person's": (
        Change(watch._unfinished, "not found.alert"),
        test_a_person_who_failed_is_not_followed_by_a_run_that_nobody_asked_for,
    ),
    "told once": (
        Change(watch._dry, "key in memory.told"),
        test_a_dry_run_launches_nothing_and_is_told_once_for_each_alert,
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_without_a_rule_its_test_fails(rule: str, world: World, memory: Memory) -> None:
    change, test = RULES[rule]
    with without(change), pytest.raises((AssertionError, TypeError)):
        test(world, memory)
