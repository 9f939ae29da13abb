"""What a person decides about traffic that nobody could verify."""

import pytest

from gp_pipelines.cleanup.repair import repair
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.model import Holder
from gp_pipelines.platform import Platform
from gp_pipelines.traffic.conclude import require_confirmed
from gp_pipelines_tests.cleanup.conftest import LIVE

PERSON = Holder("cli-1", "cli-1", "repair", "ann")


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
