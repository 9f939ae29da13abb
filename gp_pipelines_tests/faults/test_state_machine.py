"""The rules of the traffic record hold whatever happens, in any order, to several programs."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from gp_pipelines_tests.faults.machine import TrafficMachine
from gp_pipelines_tests.faults.scripted import scripted


def test_the_rules_hold_whatever_happens() -> None:
    with scripted():
        run_state_machine_as_test(
            TrafficMachine,
            settings=settings(
                max_examples=200,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
