"""Services whose alerts are watched: each on a fake target of its own, with feeds by script."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gp_pipelines.alerts.contract import Alert, Feed
from gp_pipelines.model import Color, MovedBy, Slot, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.services import Service, Services
from gp_pipelines_tests.alerts.examples import service
from gp_pipelines_tests.faults.fake_target import FakeTarget, World

OLD = Slot("api-blue-1", "release-1", 1, "v1", "sha256:1", "c", Color.BLUE, 1)
BAD = Slot("api-green-2", "release-2", 2, "v2", "sha256:2", "c", Color.GREEN, 1)
SINCE_SWITCH = 300.0  # seconds that the bad version has been live
Read = Callable[[], tuple[Alert, ...]]


@dataclass
class ScriptedFeed:
    """`read` gives what the test has put in, or does what the test wants."""

    alerts: tuple[Alert, ...] = ()
    how: Read | None = None
    name: str = "alertmanager"

    def read(self) -> tuple[Alert, ...]:
        return self.how() if self.how else self.alerts


@dataclass
class WatchedServices:
    """As `Platforms`: v2 of each is live since `SINCE_SWITCH`, after v1, which is warm."""

    services: Services
    worlds: dict[str, World]
    sources: dict[str, list[Feed]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Platform:
        return Platform(self.services[name], FakeTarget(self.worlds[name]), None, None, str)  # type: ignore[arg-type]

    def feeds(self, name: str) -> tuple[Feed, ...]:
        return tuple(self.sources.get(name, []))


def watched(*names: str, **alerts: Any) -> WatchedServices:
    """Services with these fields of `alerts` in services.yaml."""
    definitions = {name: service(name, **alerts) for name in names}
    worlds = {name: gone_bad(name) for name in names}
    return WatchedServices(Services(Path("services.yaml"), definitions), worlds)


def platform(world: World, definition: Service | None = None, **alerts: Any) -> Platform:
    found = definition or service(world.service, **alerts)
    return Platform(found, FakeTarget(world), None, None, str)  # type: ignore[arg-type]


def gone_bad(name: str = "api") -> World:
    world = World(name)
    world.skew = (datetime.now(UTC) - world.now).total_seconds()
    world.record = TrafficRecord(
        name,
        revision=9,
        fence=4,
        live=BAD,
        previous=OLD,
        moved_by=MovedBy.RELEASE,
        switched_at=world.now - timedelta(seconds=SINCE_SWITCH),
        releases=2,
    )
    return world


def changed(world: World, **fields: Any) -> World:
    """The record has these `fields` instead."""
    world.record = replace(world.record, **fields)
    return world


def an_alert(
    world: World, after: float = 100.0, labels: Mapping[str, str] | None = None, **fields: Any
) -> Alert:
    """It began `after` seconds after the switch, and is a few seconds old."""
    assert world.record.switched_at is not None
    known = {"alertname": "HighErrorRate", "service": world.service, "auto_rollback": "true"}
    alert = Alert(
        feed="alertmanager",
        fingerprint="f1",
        labels={**known, **(labels or {})},
        annotations={},
        starts_at=world.record.switched_at + timedelta(seconds=after),
        seen_at=world.now - timedelta(seconds=10),
    )
    return replace(alert, **fields)
