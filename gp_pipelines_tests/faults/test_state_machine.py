"""The rules of the traffic record hold whatever happens, in any order, to several programs."""

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from gp_pipelines_tests.faults.machine import TrafficMachine
from gp_pipelines_tests.faults.scripted import scripted


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [1, 2])
def test_the_rules_hold_whatever_happens(number: int) -> None:
    """Always the same stories, so that a failure can be looked at; two halves run side by side."""
    stories = seed(number)(type("Stories", (TrafficMachine,), {}))
    with scripted():
        run_state_machine_as_test(
            stories,
            settings=settings(
                max_examples=900,
                stateful_step_count=50,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
