from collections.abc import Iterator
from datetime import timedelta

import pytest

from gp_pipelines.model import Color, MovedBy, Slot, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.services import Service
from gp_pipelines_tests.faults.fake_target import FakeTarget, World
from gp_pipelines_tests.faults.story import Story, telling

LIVE = Slot("api-blue-1", "release-1", 1, "v1", "sha256:1", "c", Color.BLUE, 1)


@pytest.fixture
def story() -> Iterator[Story]:
    with telling() as story:
        yield story


@pytest.fixture
def platform() -> Platform:
    """Its one version is live, unconfirmed, and without any replica that answers."""
    world = World("api")
    world.record = TrafficRecord(
        "api",
        revision=1,
        live=LIVE,
        moved_by=MovedBy.RELEASE,
        switched_at=world.now,
        confirmed=False,
        confirm_by=world.now + timedelta(seconds=30),
    )
    target = FakeTarget(world)
    target.traffic.write_color(Color.BLUE, LIVE, 0, target.traffic.read_color(Color.BLUE))
    service = Service.model_validate(
        {
            "name": "api",
            "artifact": {"kind": "wheel", "source": "."},
            "command": ["serve"],
            "identity": {"path": "/health"},
            "smoke": {"checks": [{"path": "/health"}]},
            "timeouts": {"switch": 0.1},
        }
    )
    return Platform(service, target, None, None, str)  # type: ignore[arg-type]
