"""What a person decides about traffic that nobody could verify."""

from datetime import timedelta

import pytest

from gp_pipelines.cleanup.repair import repair
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.model import Color, Holder, MovedBy, Slot, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.services import Service
from gp_pipelines.traffic.conclude import require_confirmed
from gp_pipelines_tests.faults.fake_target import FakeTarget, World

PERSON = Holder("cli-1", "cli-1", "repair", "ann")
LIVE = Slot("api-blue-1", "release-1", 1, "v1", "sha256:1", "c", Color.BLUE, 1)


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


def test_a_dead_live_version_is_accepted_so_that_the_next_release_may_come(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gp_pipelines.cleanup.repair._observed_slot", lambda target: LIVE)
    with pytest.raises(Refused):
        require_confirmed(platform.target.traffic.read().record)
    with pytest.raises(StepFailed, match="could not be verified"):
        repair(platform, PERSON, "observed", "it is dead, the fix comes next", print)
    record = platform.target.traffic.read().record
    require_confirmed(record)
    assert (record.live, record.holder) == (LIVE, None)


def test_traffic_sent_back_to_what_is_recorded_stays_unconfirmed(platform: Platform) -> None:
    with pytest.raises(StepFailed, match="could not be verified"):
        repair(platform, PERSON, "recorded", "as it was", print)
    assert not platform.target.traffic.read().record.confirmed
