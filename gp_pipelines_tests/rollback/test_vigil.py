"""Whoever watches Dagster's sensor tells when nobody does, once, and when that is over."""

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gp_pipelines.alerts import watched as on_the_target
from gp_pipelines.cli.vigil import VigilMetrics
from gp_pipelines.errors import StepFailed, TargetUnavailable
from gp_pipelines.rollback import vigil as vigil_module
from gp_pipelines.rollback.cursor import Cursor, FeedSeen
from gp_pipelines.rollback.vigil import (
    DAEMON_SILENT_SECONDS,
    TICK_SILENT_SECONDS,
    Change,
    DagsterState,
    Vigil,
)
from gp_pipelines.status import read_status
from gp_pipelines_tests.faults.taken_out import Change as Without
from gp_pipelines_tests.faults.taken_out import changed as without
from gp_pipelines_tests.rollback.watched import watched

BEGAN = 1_770_000_000.0
LIMIT = 60.0  # not_watched_after_seconds


class Situation:
    """A vigil, the Dagster that it asks, and the time. Dagster is well unless told otherwise."""

    def __init__(self, *names: str, **alerts: Any) -> None:
        self.platforms = watched(*names, **alerts)
        self.now = BEGAN
        self.state: DagsterState | None = None
        self.silent_since: float | None = None  # the daemon, and with it the sensor
        self.down: Exception | None = None
        self.vigil = self.begin()

    def begin(self) -> Vigil:
        platforms = {name: self.platforms[name] for name in self.platforms.services.names}
        self.vigil = Vigil(platforms, self._ask, clock=lambda: self.now)
        return self.vigil

    def after(self, seconds: float) -> list[Change]:
        """What is told when it has looked every 5 s for so long."""
        told = []
        end = self.now + seconds
        while self.now < end:
            step = min(5.0, end - self.now)
            self.now += step
            for world in self.platforms.worlds.values():
                world.seconds += step
            told += self.vigil.look()
        return told

    def flags(self, name: str = "api") -> tuple[str, ...]:
        """As `gp status` has them."""
        return read_status(self.platforms[name]).flags

    @property
    def remarks(self) -> str:
        return " ".join(read_status(self.platforms["api"]).remarks)

    def _ask(self) -> DagsterState:
        if self.down is not None:
            raise self.down
        if self.state is not None:
            return self.state
        at = self.now if self.silent_since is None else self.silent_since
        return DagsterState(at, True, at, "", Cursor().text)

    def says(self, **fields: Any) -> None:
        """Dagster's state, from now on."""
        self.state = replace(DagsterState(self.now, True, self.now, "", Cursor().text), **fields)

    def is_well(self) -> None:
        self.state, self.silent_since, self.down = None, None, None


@pytest.fixture
def there() -> Situation:
    situation = Situation("api")
    assert situation.after(LIMIT) == []
    return situation


def feeds(**seen: FeedSeen) -> str:
    return Cursor(feeds={"api": dict(seen)}).text


def test_as_long_as_everything_is_watched_nothing_is_told(there: Situation) -> None:
    assert there.after(600) == []
    assert there.flags() == ()
    assert there.vigil.not_watched == {"api": ""}


def test_a_service_that_nobody_has_watched_yet_is_not_watched() -> None:
    assert Situation("api").flags() == ("not_watched",)


def test_a_silent_daemon_is_told_once_and_when_it_is_back(there: Situation) -> None:
    there.silent_since = there.now
    assert there.after(LIMIT - 1) == []
    assert there.flags() == ()
    (told,) = there.after(600)
    assert told.service == "api"
    assert told.why_not.startswith("Dagster's sensor daemon is silent since ")
    assert there.flags() == ("not_watched",)
    assert "not watched, no alert rolls it back: Dagster's sensor daemon" in there.remarks
    there.is_well()
    assert there.after(600) == [Change("api", "")]
    assert there.flags() == ()


def test_a_daemon_that_is_busy_for_a_moment_is_none_that_is_silent() -> None:
    there = Situation("api", not_watched_after_seconds=10)
    there.after(60)
    there.silent_since = there.now
    assert there.after(DAEMON_SILENT_SECONDS) == []
    assert len(there.after(10)) == 1


def test_a_daemon_that_was_never_seen(there: Situation) -> None:
    there.says(daemon_at=None)
    (told,) = there.after(LIMIT + 5)
    assert told.why_not == "Dagster's sensor daemon is silent"


def test_a_sensor_that_somebody_has_turned_off(there: Situation) -> None:
    there.says(sensor_running=False, daemon_at=there.now + 600, tick_at=there.now + 600)
    (told,) = there.after(LIMIT + 5)
    assert told.why_not == "the sensor rollback_on_alert is turned off in Dagster"


def test_a_sensor_that_fails_is_told_redacted(there: Situation) -> None:
    error = "ValueError: password=hunter2\n  in a file"
    there.says(tick_error=error, daemon_at=there.now + 600, tick_at=there.now + 600)
    (told,) = there.after(LIMIT + 5)
    assert told.why_not.startswith("the sensor rollback_on_alert fails: ValueError: password=***")


def test_a_sensor_that_is_silent_though_the_daemon_lives(there: Situation) -> None:
    there.says(daemon_at=there.now + 600)
    assert there.after(max(LIMIT, TICK_SILENT_SECONDS) - 1) == []
    (told,) = there.after(10)
    assert told.why_not.startswith("the sensor rollback_on_alert is silent since ")


@pytest.mark.parametrize(
    "error", [TargetUnavailable("Dagster's webserver does not run."), StepFailed("it refuses")]
)
def test_a_webserver_that_is_away_for_long(there: Situation, error: Exception) -> None:
    there.down = error
    (told,) = there.after(LIMIT + 5)
    assert told.why_not == f"Dagster does not say how its sensor is: {error}"
    there.is_well()
    assert there.after(5) == [Change("api", "")]


@pytest.mark.parametrize("trouble", ["away", "fails"])
def test_what_is_over_soon_wakes_nobody(there: Situation, trouble: str) -> None:
    for _ in range(5):
        if trouble == "away":
            there.down = TargetUnavailable("it is started again")
        else:
            there.says(tick_error="a moment's error", daemon_at=there.now + 99)
        assert there.after(LIMIT - 5) == []
        assert there.flags() == ()
        there.is_well()
        assert there.after(10) == []


def test_a_feed_that_cannot_be_read_for_too_long(there: Situation) -> None:
    since = there.now
    seen = feeds(alertmanager=FeedSeen(since, "it answers 500"), guards=FeedSeen(since))
    there.says(cursor=seen, daemon_at=since + 600, tick_at=since + 600)
    assert there.after(LIMIT - 1) == []
    (told,) = there.after(60)
    assert told.why_not.startswith("the feed alertmanager cannot be read since ")
    assert told.why_not.endswith("UTC: it answers 500")


def test_a_feed_that_was_never_read(there: Situation) -> None:
    seen = feeds(probe=FeedSeen(None, "it is closed"))
    there.says(cursor=seen, daemon_at=there.now + 600, tick_at=there.now + 600)
    (told,) = there.after(LIMIT + 5)
    assert told.why_not == "the feed probe cannot be read: it is closed"


def test_one_services_feed_is_no_other_services_trouble() -> None:
    there = Situation("api", "web")
    there.after(LIMIT)
    seen = feeds(guards=FeedSeen(None, "its target is gone"))
    there.says(cursor=seen, daemon_at=there.now + 600, tick_at=there.now + 600)
    (told,) = there.after(LIMIT + 5)
    assert (told.service, told.why_not) == (
        "api",
        "its alerts cannot be judged: its target is gone",
    )
    assert (there.flags("api"), there.flags("web")) == (("not_watched",), ())


def test_a_cursor_that_somebody_has_written_is_no_trouble(there: Situation) -> None:
    there.says(cursor="somebody was here", daemon_at=there.now + 600, tick_at=there.now + 600)
    assert there.after(120) == []


def test_a_stack_that_has_just_been_started_has_time_for_that() -> None:
    there = Situation("api")
    there.says(daemon_at=None, tick_at=None)
    assert there.after(LIMIT - 1) == []
    there.is_well()
    assert there.after(10) == []
    assert there.flags() == ()


def test_of_another_reason_people_are_not_told_again(there: Situation) -> None:
    there.silent_since = there.now
    assert len(there.after(2 * LIMIT)) == 1
    there.down = TargetUnavailable("Dagster's webserver does not run.")
    assert there.after(2 * LIMIT) == []
    assert "Dagster's webserver does not run" in there.remarks


def test_one_that_is_started_again_tells_nothing_twice(there: Situation) -> None:
    there.silent_since = there.now
    assert len(there.after(2 * LIMIT)) == 1
    there.begin()
    assert there.after(2 * LIMIT) == []
    there.is_well()
    assert there.after(5) == [Change("api", "")]


def test_a_trouble_that_is_not_told_yet_does_not_let_the_status_grow_old() -> None:
    there = Situation("api", not_watched_after_seconds=600)
    there.after(10)
    there.down = TargetUnavailable("it is started again")
    assert there.after(500) == []
    assert there.flags() == ()


def test_a_silent_webhook_says_nothing_and_that_is_seen(there: Situation) -> None:
    there.platforms.worlds["api"].seconds += on_the_target.SILENT.total_seconds() + 1
    assert there.flags() == ("not_watched",)
    assert "the webhook service, which says so, is silent since" in there.remarks


def test_a_target_that_cannot_be_written_does_not_stop_the_next_service() -> None:
    there = Situation("api", "web")
    there.platforms.worlds["api"].unavailable = True
    there.after(LIMIT)
    assert there.flags("web") == ()
    there.silent_since = there.now
    assert {told.service for told in there.after(2 * LIMIT)} == {"api", "web"}


def test_each_look_is_a_metric(there: Situation) -> None:
    registry = CollectorRegistry()
    metrics = VigilMetrics(registry)

    def value(name: str, **labels: str) -> float | None:
        metrics.show(there.vigil)
        return registry.get_sample_value(name, labels)

    assert value("gp_service_watched", service="api") == 1
    assert value("gp_rollback_sensor_tick_timestamp_seconds") == there.now
    last = there.now
    there.silent_since = last
    there.after(2 * LIMIT)
    assert value("gp_service_watched", service="api") == 0
    assert value("gp_dagster_sensor_daemon_heartbeat_timestamp_seconds") == last


RULES = {
    "a moment is no trouble": (
        Without(Vigil._lasts, "now - max(since, self._began) >= limit", "True"),
        lambda there: test_what_is_over_soon_wakes_nobody(there, "away"),
    ),
    "told once": (
        Without(Vigil._note, "if bool(before) != bool(why_not)", "if why_not"),
        test_a_silent_daemon_is_told_once_and_when_it_is_back,
    ),
    "a silent daemon": (
        Without(vigil_module._dead, "_is_silent(state.daemon_at, DAEMON_SILENT_SECONDS, now)"),
        test_a_daemon_that_was_never_seen,
    ),
    "a sensor turned off": (
        Without(vigil_module._dead, "not state.sensor_running"),
        test_a_sensor_that_somebody_has_turned_off,
    ),
    "a failing sensor": (
        Without(vigil_module._dead, "if state.tick_error", "if False"),
        test_a_sensor_that_fails_is_told_redacted,
    ),
    "a silent sensor": (
        Without(vigil_module._dead, "_is_silent(state.tick_at, TICK_SILENT_SECONDS, now)"),
        test_a_sensor_that_is_silent_though_the_daemon_lives,
    ),
    "an unknown feed": (
        Without(vigil_module._unread, "feed.error:", "False:"),
        test_a_feed_that_cannot_be_read_for_too_long,
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_without_a_rule_its_test_fails(rule: str, there: Situation) -> None:
    change, test = RULES[rule]
    with without(change), pytest.raises((AssertionError, ValueError)):
        test(there)
