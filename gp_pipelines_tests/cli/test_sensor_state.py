"""What the webserver says of the rollback sensor, as the vigil understands it."""

from typing import Any

import pytest

from gp_pipelines.errors import StepFailed
from gp_pipelines.rollback.vigil import DagsterState
from gp_pipelines_tests.cli.scripted_webserver import REPOSITORIES, Webserver

SENSOR = "rollback_on_alert"


def a_tick(status: str, began: float, ended: float | None, error: str | None = None) -> Any:
    return {
        "status": status,
        "timestamp": began,
        "endTimestamp": ended,
        "error": {"message": error} if error else None,
    }


def says(*ticks: Any, status: str = "RUNNING", heartbeat: float | None = 100.0) -> Any:
    """Its newest tick first, as Dagster has them."""
    state = {
        "status": status,
        "typeSpecificData": {"lastCursor": "{}", "lastTickTimestamp": 90.0},
        "ticks": list(ticks),
    }
    return {
        "instance": {"daemonHealth": {"daemonStatus": {"lastHeartbeatTime": heartbeat}}},
        "sensorOrError": {"__typename": "Sensor", "sensorState": state},
    }


def state_of(webserver: Webserver, answer: Any) -> DagsterState:
    webserver.will_answer(REPOSITORIES, answer)
    found = webserver.api.sensor_state(SENSOR)
    assert webserver.asked[-1]["variables"]["sensor"]["sensorName"] == SENSOR
    return found


def test_a_sensor_that_is_well(webserver: Webserver) -> None:
    found = state_of(webserver, says(a_tick("SKIPPED", 80, 99), a_tick("SUCCESS", 60, 79)))
    assert found == DagsterState(100.0, True, 99, "", "{}")


def test_a_tick_that_goes_on_hides_neither_when_it_began_nor_how_the_last_one_ended(
    webserver: Webserver,
) -> None:
    answer = says(a_tick("STARTED", 80, None), a_tick("FAILURE", 60, 79, "ValueError: no\n"))
    found = state_of(webserver, answer)
    assert (found.tick_at, found.tick_error) == (80, "ValueError: no")


def test_an_error_that_is_over_is_none(webserver: Webserver) -> None:
    answer = says(a_tick("SKIPPED", 80, 99), a_tick("FAILURE", 60, 79, "ValueError: no"))
    assert state_of(webserver, answer).tick_error == ""


def test_one_that_has_never_ticked_of_a_daemon_that_was_never_seen(webserver: Webserver) -> None:
    answer = says(status="STOPPED", heartbeat=None)
    answer["sensorOrError"]["sensorState"]["typeSpecificData"] = None
    assert state_of(webserver, answer) == DagsterState(None, False, None, "", None)


def test_one_that_dagster_does_not_know(webserver: Webserver) -> None:
    unknown = {"__typename": "SensorNotFoundError", "message": "no such sensor"}
    with pytest.raises(StepFailed, match="does not know the sensor rollback_on_alert"):
        state_of(webserver, {**says(), "sensorOrError": unknown})
