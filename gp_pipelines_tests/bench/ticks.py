"""One tick of the rollback sensor: 100 services, 10,000 firing alerts, and a long run history."""

import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from gp_pipelines.alerts.contract import Alert, Feed
from gp_pipelines.model import Color, MovedBy, Slot, TrafficRecord
from gp_pipelines.rollback.job import rollback_job
from gp_pipelines.rollback.sensors import NAME, rollback_sensor
from gp_pipelines.services import load_services
from gp_pipelines.targets.local.home import Home
from gp_pipelines.wiring import Platforms
from gp_pipelines_tests.bench.figure import Progress, Value

SERVICES = 100
ALERTS = 100  # of each
RUNS = 10_000
TICKS = 25
RUN_KEY, SENSOR_NAME = "dagster/run_key", "dagster/sensor_name"


def ticks(progress: Progress, runs: int = RUNS) -> dict[str, Value]:
    """Medians: from the feeds' answers at hand to the requests returned, and looked up.

    The look-up is what Dagster's daemon does with a tick's run keys. `growth` compares a history of
    `runs` runs that this sensor has launched with none. The records are the local target's.
    """
    without, after = [], []
    with tempfile.TemporaryDirectory() as root, _instance() as empty, _instance() as full:
        sensor = _sensor(_platforms(Path(root)))
        _fill(full, runs, progress)
        _tick(sensor, empty)  # reads the feeds, and is not counted
        for _ in range(TICKS):  # in turn, so that both have the same neighbours on the machine
            without.append(_tick(sensor, empty))
            after.append(_tick(sensor, full))
    short, long = statistics.median(without), statistics.median(after)
    progress(f"a tick took {short:.3f} s without a history, {long:.3f} s with {runs} runs")
    return {
        "sensor.tick_s": Value(round(max(short, long), 3), TICKS),
        "sensor.tick_growth_ratio": Value(round(long / short, 2), TICKS),
    }


def _tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> float:
    """Seconds. Raises RuntimeError if it did not ask for what it should."""
    began = time.monotonic()
    with dg.build_sensor_context(instance) as context:
        found = sensor(context)
    assert isinstance(found, dg.SensorResult)
    keys = [request.run_key for request in found.run_requests or ()]
    tags: dict[str, Any] = {SENSOR_NAME: NAME, RUN_KEY: keys}
    launched = instance.get_runs(filters=dg.RunsFilter(tags=tags))
    seconds = time.monotonic() - began
    if len(keys) != SERVICES or launched:
        raise RuntimeError(f"{len(keys)} requests, of which {len(launched)} were launched")
    return seconds


def _sensor(platforms: "AlertedPlatforms") -> dg.SensorDefinition:
    return rollback_sensor(platforms, rollback_job(platforms.services))


class AlertedPlatforms(Platforms):
    """Every service has something live, something to go back to, and alerts that fire."""

    def feeds(self, name: str) -> tuple[Feed, ...]:
        return (_Firing(name),)


class _Firing:
    name = "alertmanager"

    def __init__(self, service: str) -> None:
        self._alerts = tuple(_alert(service, number) for number in range(ALERTS))

    def read(self) -> tuple[Alert, ...]:
        return self._alerts


def _alert(service: str, number: int) -> Alert:
    """Only the youngest may roll back: the others are judged, and say why not."""
    began = datetime.now(UTC) - timedelta(seconds=ALERTS - number)
    labels = {"alertname": f"Alert{number}", "service": service, "auto_rollback": "true"}
    if number < ALERTS - 1:
        labels["release_id"] = "one-that-is-not-live"
    return Alert("alertmanager", f"{number:016x}", labels, {}, began, began)


def _platforms(root: Path) -> AlertedPlatforms:
    names = [f"service-{number:03d}" for number in range(SERVICES)]
    definition = {
        "artifact": {"kind": "wheel", "source": "."},
        "command": ["serve"],
        "identity": {"path": "/health"},
        "smoke": {"checks": [{"path": "/health"}]},
    }
    path = root / "services.yaml"
    path.write_text(yaml.safe_dump({"services": dict.fromkeys(names, definition)}))
    platforms = AlertedPlatforms(load_services(path), Home(root / "var"))
    for name in names:
        traffic = platforms[name].target.traffic
        traffic.write(_record(name), traffic.read())
    return platforms


def _record(service: str) -> TrafficRecord:
    old, new = (
        Slot(
            f"{service}-{color}", str(uuid.uuid4()), number, f"v{number}", "sha256:0", "0", color, 2
        )
        for number, color in enumerate(Color, start=1)
    )
    return TrafficRecord(
        service,
        revision=1,
        live=new,
        previous=old,
        moved_by=MovedBy.RELEASE,
        switched_at=datetime.now(UTC) - timedelta(hours=1),
    )


@contextmanager
def _instance() -> Iterator[dg.DagsterInstance]:
    with tempfile.TemporaryDirectory() as root, dg.DagsterInstance.local_temp(root) as instance:
        yield instance


def _fill(instance: dg.DagsterInstance, runs: int, progress: Progress) -> None:
    for number in range(1, runs + 1):
        tags = {SENSOR_NAME: NAME, RUN_KEY: f"earlier:{number}"}
        instance.add_run(
            dg.DagsterRun(
                job_name="rollback",
                run_id=str(uuid.uuid4()),
                status=dg.DagsterRunStatus.SUCCESS,
                tags=tags,
            )
        )
        if number % 2000 == 0:
            progress(f"{number}/{runs} earlier runs stored")
