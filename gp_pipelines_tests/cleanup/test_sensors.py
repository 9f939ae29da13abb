"""What the schedule and the sensor launch, evaluated as Dagster's daemon does."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from gp_pipelines.cleanup.job import cleanup_job, reconcile_job
from gp_pipelines.cleanup.reconcile import reconcile
from gp_pipelines.cleanup.sensors import cleanup_schedule, reconcile_sensor
from gp_pipelines.cleanup.watch import AGAIN_AFTER_SECONDS, SUSPECT_AFTER_SECONDS
from gp_pipelines.model import Color, Holder, KeptSlot, Slot, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.services import Service, Services
from gp_pipelines_tests.faults.fake_target import FakeTarget, World

HOLDER = Holder("run-1", "release-1", "release", "ann", 1)


class TwoServices:
    """As `Platforms`: one service after the other, each in a world of its own."""

    def __init__(self) -> None:
        names = ("one", "two")
        self.worlds = {name: World(name) for name in names}
        self.services = Services(path=Path("services.yaml"), services=dict(map(_named, names)))

    def __getitem__(self, name: str) -> Platform:
        return Platform(
            service=self.services[name],
            target=FakeTarget(self.worlds[name]),
            artifacts=None,  # type: ignore[arg-type]
            database=None,
            read_secret=lambda name, source: name,
        )


def _named(name: str) -> tuple[str, Service]:
    return name, Service.model_validate(
        {
            "name": name,
            "artifact": {"kind": "wheel", "source": "."},
            "command": ["serve"],
            "identity": {"path": "/health"},
            "smoke": {"checks": [{"path": "/health"}]},
        }
    )


@pytest.fixture
def platforms() -> TwoServices:
    return TwoServices()


def schedule_tick(platforms: TwoServices) -> Any:
    job = cleanup_job(platforms.services)
    schedule = cleanup_schedule(platforms, job)  # type: ignore[arg-type]
    defs = dg.Definitions(jobs=[job], schedules=[schedule], resources={"platforms": platforms})
    repository = defs.get_repository_def()
    with dg.build_schedule_context(
        repository_def=repository, scheduled_execution_time=World("x").now
    ) as context:
        return schedule.evaluate_tick(context)


def sensor_tick(
    platforms: TwoServices, cursor: str | None, at: float, monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setattr("gp_pipelines.cleanup.sensors.time.time", lambda: at)
    job = reconcile_job(platforms.services)
    sensor = reconcile_sensor(platforms, job)  # type: ignore[arg-type]
    resources = {"platforms": platforms, "reconcile": reconcile}
    defs = dg.Definitions(jobs=[job], sensors=[sensor], resources=resources)
    with dg.build_sensor_context(definitions=defs, cursor=cursor) as context:
        return sensor.evaluate_tick(context)


def keep(world: World, deadline_in: float) -> None:
    slot = Slot("s", "release-0", 1, "v1", "sha256:1", "c", Color.BLUE, 1)
    deadline = world.now + timedelta(seconds=deadline_in)
    world.record = TrafficRecord(
        world.service, revision=3, kept=(KeptSlot(slot, SlotState.WARM, deadline),)
    )


def test_the_schedule_asks_only_for_services_where_something_is_due(platforms: TwoServices) -> None:
    keep(platforms.worlds["one"], deadline_in=-1)
    keep(platforms.worlds["two"], deadline_in=60)
    tick = schedule_tick(platforms)
    assert [request.run_config for request in tick.run_requests] == [{"service": "one"}]
    assert tick.run_requests[0].tags["gp/trigger"] == "schedule"


def test_the_schedule_says_why_it_launches_nothing(platforms: TwoServices) -> None:
    platforms.worlds["two"].unavailable = True
    tick = schedule_tick(platforms)
    assert not tick.run_requests
    assert "one: nothing is due" in tick.skip_message
    assert "two cannot be read" in tick.skip_message


def test_a_service_that_cannot_be_read_does_not_keep_the_next_from_cleanup(
    platforms: TwoServices,
) -> None:
    platforms.worlds["one"].unavailable = True
    keep(platforms.worlds["two"], deadline_in=-1)
    tick = schedule_tick(platforms)
    assert [request.run_config for request in tick.run_requests] == [{"service": "two"}]


def test_a_silent_holder_is_worth_a_run_only_after_a_while(
    platforms: TwoServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    platforms.worlds["one"].record = TrafficRecord("one", revision=1, fence=1, holder=HOLDER)
    first = sensor_tick(platforms, None, 1000.0, monkeypatch)
    assert not first.run_requests
    assert "is at work" in first.skip_message
    early = sensor_tick(platforms, first.cursor, 1000.0 + SUSPECT_AFTER_SECONDS - 1, monkeypatch)
    assert not early.run_requests
    late = sensor_tick(platforms, early.cursor, 1000.0 + SUSPECT_AFTER_SECONDS + 1, monkeypatch)
    assert [request.run_config for request in late.run_requests] == [{"service": "one"}]


def test_a_holder_that_renews_is_left_alone(
    platforms: TwoServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = platforms.worlds["one"]
    world.record = TrafficRecord("one", revision=1, fence=1, holder=HOLDER)
    cursor = None
    for seconds in range(0, 60, 5):
        FakeTarget(world).traffic.renew(HOLDER.run_id, 1)
        tick = sensor_tick(platforms, cursor, 1000.0 + seconds, monkeypatch)
        assert not tick.run_requests
        cursor = tick.cursor


def test_what_could_not_be_ended_does_not_fill_the_run_history(
    platforms: TwoServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    platforms.worlds["one"].record = TrafficRecord("one", revision=1, confirmed=False)
    first = sensor_tick(platforms, None, 1000.0, monkeypatch)
    assert len(first.run_requests) == 1
    again = sensor_tick(platforms, first.cursor, 1005.0, monkeypatch)
    assert not again.run_requests
    later = sensor_tick(platforms, again.cursor, 1001.0 + AGAIN_AFTER_SECONDS, monkeypatch)
    assert len(later.run_requests) == 1
    assert later.run_requests[0].run_key != first.run_requests[0].run_key


def test_a_drift_is_a_persons_to_decide(
    platforms: TwoServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = platforms.worlds["one"]
    world.record = TrafficRecord("one", revision=1, confirmed=False)
    world.edits = ("somebody was here.",)
    tick = sensor_tick(platforms, None, 1000.0, monkeypatch)
    assert not tick.run_requests
    assert "somebody was here" in tick.skip_message


def test_the_cursor_holds_what_was_seen_of_each_service(
    platforms: TwoServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = sensor_tick(platforms, None, 1000.0, monkeypatch)
    assert json.loads(tick.cursor).keys() == {"one", "two"}
