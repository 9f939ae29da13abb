"""A run that is terminated in the UI undoes what it has begun, wherever that was."""

from collections.abc import Callable

import pytest

from gp_pipelines_tests.e2e.project import Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e")


@pytest.fixture(scope="module")
def service(project: Project) -> TestedService:
    """One for all of these: each leaves it with a version live."""
    return project.free()


def test_terminated_while_it_builds(project: Project, service: TestedService) -> None:
    hold = project.source / "hold-v-long"
    hold.touch()
    try:
        run_id = service.launch("v-long")
        service.dagster.wait_for_line(run_id, "v-long: build the wheel")
        service.dagster.terminate(run_id)
        assert service.dagster.end_of(run_id) == "CANCELED"
        assert service.has_settled()
        assert service.platform.artifacts.stored("v-long") is None
        assert (service.live, service.outcome(run_id)) == (None, "failed")
    finally:
        hold.unlink()
    service.release("v-long")
    assert service.live == "v-long"


def _while_it_deploys(service: TestedService) -> str:
    return service.launch_sick("v2")


def _while_it_smokes(service: TestedService) -> str:
    return service.launch_waiting("v2")


def _while_it_verifies_its_switch(service: TestedService) -> str:
    run_id = service.launch_unverifiable("v2")
    service.dagster.wait_for_line(run_id, "traffic was sent to v2")
    return run_id


@pytest.mark.parametrize(
    "until", [_while_it_deploys, _while_it_smokes, _while_it_verifies_its_switch]
)
def test_terminated_later(service: TestedService, until: Callable[[TestedService], str]) -> None:
    dagster = service.dagster
    service.release("v1", redeploy=True, allow_downgrade=True)
    run_id = until(service)
    dagster.terminate(run_id)
    assert dagster.end_of(run_id) == "CANCELED"
    service.end_trouble()
    assert service.has_settled()
    assert (service.live, service.answers()) == ("v1", "v1")
    assert "v2" not in service.slots
    assert service.outcome(run_id) == "failed"
    service.release("v2")
