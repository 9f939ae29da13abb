"""The sensor as Dagster's daemon evaluates it."""

import time
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from gp_pipelines.rollback import readings
from gp_pipelines.rollback.job import rollback_job
from gp_pipelines.rollback.launch import JOB
from gp_pipelines.rollback.sensors import NAME, rollback_sensor
from gp_pipelines_tests.rollback.watched import ScriptedFeed, WatchedServices, an_alert, watched


class Clock:
    """Time goes by where somebody sleeps, and a hundred times as fast as it really does."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 100)
        self.seconds += seconds


def evaluated(
    platforms: WatchedServices, cursor: str | None = None, clock: Clock | None = None
) -> Any:
    """One tick of 20 s."""
    clock = clock or Clock()
    job = rollback_job(platforms.services)
    sensor = rollback_sensor(
        platforms,  # type: ignore[arg-type]
        job,
        tick_seconds=20.0,
        clock=clock.monotonic,
        sleep=clock.sleep,
    )
    defs = dg.Definitions(
        jobs=[job], sensors=[sensor], resources={"rollbacks": dg.ResourceDefinition.none_resource()}
    )
    with dg.build_sensor_context(definitions=defs, cursor=cursor) as context:
        return sensor.evaluate_tick(context)


@pytest.fixture
def platforms() -> WatchedServices:
    return watched("api", "web")


def fire(platforms: WatchedServices, **fields: Any) -> ScriptedFeed:
    feed = ScriptedFeed((an_alert(platforms.worlds["api"], **fields),))
    platforms.sources["api"] = [feed]
    return feed


def test_an_alert_asks_for_a_run_that_the_job_takes(platforms: WatchedServices) -> None:
    fire(platforms)
    clock = Clock()
    (request,) = evaluated(platforms, clock=clock).run_requests
    assert clock.seconds < 10, "it ends at once when there is something to launch"
    assert dg.validate_run_config(rollback_job(platforms.services), request.run_config)
    asked = request.run_config
    assert (asked["service"], asked["release_id"]) == ("api", "release-2")
    assert asked["alert"]["name"] == "HighErrorRate"
    assert request.run_key == "api:release-2:0"
    assert request.tags["gp/service"] == "api"
    assert request.tags["gp/source_run_id"] == "release-2"
    assert request.tags["gp/trigger"] == "alert:f1"


def test_a_tick_looks_for_as_long_as_it_may_and_says_that_nothing_fires(
    platforms: WatchedServices,
) -> None:
    clock = Clock()
    tick = evaluated(platforms, clock=clock)
    assert not tick.run_requests
    assert tick.skip_message == "nothing fires"
    assert clock.seconds == pytest.approx(20, abs=0.5)


def test_an_alert_that_comes_while_a_tick_goes_on_is_taken_by_it(
    platforms: WatchedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "OTHERWISE_SECONDS", 0.0)
    feed = fire(platforms)
    came = feed.alerts
    reads = iter(range(3))
    feed.how = lambda: came if next(reads, None) is None else ()
    clock = Clock()
    assert len(evaluated(platforms, clock=clock).run_requests) == 1
    assert clock.seconds > 0


def test_it_says_why_it_launches_nothing(platforms: WatchedServices) -> None:
    fire(platforms, after=-1)
    platforms.worlds["web"].unavailable = True
    tick = evaluated(platforms)
    assert not tick.run_requests
    assert tick.skip_message == (
        "api: it began before the switch; web: CANNOT BE JUDGED: the target cannot be reached"
    )


def test_the_next_tick_goes_on_from_the_cursor(platforms: WatchedServices) -> None:
    fire(platforms)
    first = evaluated(platforms)
    second = evaluated(platforms, first.cursor)
    assert not second.run_requests
    assert second.skip_message == "api: a run was launched for it just now"


def test_a_cursor_that_somebody_has_written_does_not_stop_it(platforms: WatchedServices) -> None:
    fire(platforms)
    assert len(evaluated(platforms, "somebody was here").run_requests) == 1


def test_a_dry_run_is_a_materialization_and_no_run() -> None:
    platforms = watched("api", dry_run=True)
    fire(platforms)
    tick = evaluated(platforms)
    assert not tick.run_requests
    (told,) = tick.asset_events
    assert isinstance(told, dg.AssetMaterialization)
    assert told.asset_key == dg.AssetKey(["api", "live"])
    assert str(told.description).startswith("dry run: would have rolled back. HighErrorRate")
    assert told.metadata["release"] == dg.MetadataValue.dagster_run("release-2")
    again = evaluated(platforms, tick.cursor)
    assert (again.run_requests, again.asset_events) == ([], [])
    assert again.skip_message == "api: dry run: HighErrorRate would have undone release-2"


def test_a_run_that_the_webhook_has_launched_is_not_launched_again() -> None:
    platforms = watched("api")
    fire(platforms, feed="webhook", launched="run-7", seen_at=datetime.now(UTC))
    assert not evaluated(platforms).run_requests


def test_it_runs_by_itself_and_for_the_job_that_the_webhook_launches_too(
    platforms: WatchedServices,
) -> None:
    job = rollback_job(platforms.services)
    sensor = rollback_sensor(platforms, job)  # type: ignore[arg-type]
    assert (sensor.name, sensor.job_name) == (NAME, JOB)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
