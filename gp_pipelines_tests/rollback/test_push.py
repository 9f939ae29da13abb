"""The webhook's process launches what it has accepted; what it cannot, the sensor does."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.alerts.inbox import Inbox
from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.rollback.push import LEFT_TO_THE_SENSOR, Push
from gp_pipelines.rollback.watch import PUSHED_WITHIN_SECONDS, Memory, look
from gp_pipelines_tests.rollback.watched import WatchedServices, an_alert, platform, watched


class FakeDagster:
    """Takes runs, as far as it is up."""

    def __init__(self) -> None:
        self.launched: list[tuple[str, Mapping[str, Any], Mapping[str, str]]] = []
        self.down = False
        self._lock = threading.Lock()

    def launch(self, job: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        if self.down:
            raise TargetUnavailable("Dagster's webserver does not run: password=hunter2")
        with self._lock:
            self.launched.append((job, config, tags))
            return f"run-{len(self.launched)}"

    @property
    def services(self) -> list[str]:
        return [config["service"] for _, config, _ in self.launched]


@pytest.fixture
def platforms() -> WatchedServices:
    return watched("api", "web")


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(f"sqlite:///{tmp_path / 'alerts.sqlite'}")


@pytest.fixture
def dagster() -> FakeDagster:
    return FakeDagster()


@pytest.fixture
def push(platforms: WatchedServices, inbox: Inbox, dagster: FakeDagster) -> Push:
    return Push(platforms.__getitem__, inbox, dagster.launch)


def accepted(
    platforms: WatchedServices, inbox: Inbox, name: str = "api", pod: str = "1", **fields: Any
) -> Alert:
    """It has come by the webhook just now."""
    alert = an_alert(
        platforms.worlds[name],
        labels={"pod": pod},
        feed="webhook",
        fingerprint=f"f-{name}-{pod}",
        seen_at=datetime.now(UTC),
        **fields,
    )
    inbox.put([alert])
    return alert


def test_an_accepted_alert_is_a_run_at_once_and_its_run_is_noted(
    push: Push, platforms: WatchedServices, inbox: Inbox, dagster: FakeDagster
) -> None:
    push((accepted(platforms, inbox),))
    ((job, config, tags),) = dagster.launched
    assert (job, config["service"], config["release_id"]) == ("rollback", "api", "release-2")
    assert tags["gp/trigger"] == "alert:f-api-1"
    assert [alert.launched for alert in inbox.firing("api")] == ["run-1"]


def test_the_sensor_sees_that_and_launches_nothing(
    push: Push, platforms: WatchedServices, inbox: Inbox
) -> None:
    push((accepted(platforms, inbox),))
    later = datetime.now(UTC).timestamp() + PUSHED_WITHIN_SECONDS + 1
    found = look(platforms["api"], inbox.firing("api"), Memory(), later)
    assert found.wanted is None
    assert found.notes == ("run run-1 was launched for it by the webhook",)


def test_a_launch_that_fails_is_left_to_the_sensor(
    push: Push,
    platforms: WatchedServices,
    inbox: Inbox,
    dagster: FakeDagster,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dagster.down = True
    push((accepted(platforms, inbox),))
    assert "api is left to the sensor" in caplog.text
    assert "hunter2" not in caplog.text
    (left,) = inbox.firing("api")
    assert left.launched == LEFT_TO_THE_SENSOR
    found = look(platforms["api"], [left], Memory(), time.time())
    assert found.wanted, "which need not wait, as it does while the webhook is at it"
    later = datetime.now(UTC).timestamp() + PUSHED_WITHIN_SECONDS + 1
    assert look(platforms["api"], inbox.firing("api"), Memory(), later).wanted


def test_after_a_launch_that_failed_the_next_alert_is_launched_at_once(
    push: Push, platforms: WatchedServices, inbox: Inbox, dagster: FakeDagster
) -> None:
    dagster.down = True
    push((accepted(platforms, inbox),))
    dagster.down = False
    push((accepted(platforms, inbox, pod="2"),))
    assert dagster.services == ["api"]


def test_two_alerts_at_once_are_one_run(
    push: Push, platforms: WatchedServices, inbox: Inbox, dagster: FakeDagster
) -> None:
    alerts = [accepted(platforms, inbox, pod=f"{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda alert: push((alert,)), alerts))
    push(tuple(alerts))
    assert dagster.services == ["api"]


def test_each_service_of_one_request_has_its_own_run(
    push: Push, platforms: WatchedServices, inbox: Inbox, dagster: FakeDagster
) -> None:
    alerts = (accepted(platforms, inbox, "web"), accepted(platforms, inbox), *inbox.firing("web"))
    push(alerts)
    assert dagster.services == ["web", "api"]


def test_what_a_guard_speaks_against_is_not_launched(
    push: Push, platforms: WatchedServices, inbox: Inbox, dagster: FakeDagster
) -> None:
    push((accepted(platforms, inbox, after=-1),))
    assert dagster.launched == []


def test_a_target_that_cannot_be_read_leaves_the_next_service_its_run(
    push: Push, platforms: WatchedServices, inbox: Inbox, dagster: FakeDagster
) -> None:
    alerts = (accepted(platforms, inbox), accepted(platforms, inbox, "web"))
    platforms.worlds["api"].unavailable = True
    push(alerts)
    assert dagster.services == ["web"]


def test_a_dry_run_is_left_to_the_sensor_which_tells_of_it(
    inbox: Inbox, dagster: FakeDagster
) -> None:
    platforms = watched("api", dry_run=True)
    Push(platforms.__getitem__, inbox, dagster.launch)((accepted(platforms, inbox),))
    assert dagster.launched == []
    dry = platform(platforms.worlds["api"], dry_run=True)
    assert look(dry, inbox.firing("api"), Memory(), 0.0).dry is not None
