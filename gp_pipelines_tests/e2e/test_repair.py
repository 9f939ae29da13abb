"""Somebody edits by hand where the traffic goes, or the record is lost."""

import json

import pytest

from gp_pipelines.targets.local.files import write_atomically
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e")

MADE_AGAIN_SECONDS = 60


@pytest.fixture(scope="module")
def service(project: Project) -> TestedService:
    """v1 on blue, v2 on green is live."""
    service = project.free()
    service.release("v1")
    service.release("v2")
    return service


def test_a_hand_edit_is_drift_until_a_person_repairs_it(
    project: Project, service: TestedService
) -> None:
    _send_everybody_to_blue(project, service)
    wait_until(lambda: service.answers() == "v1")
    (status,) = project.gp("status", service.name).object["services"]
    assert status["flags"] == ["drift"]
    assert status["drift"]

    refused = project.gp("release", service.name, "v1", "--allow-downgrade")
    assert (refused.code, refused.object["outcome"]) == (1, "refused")
    assert "Drift" in refused.object["error"]
    assert service.answers() == "v1", "what somebody did by hand is left as it is"

    repaired = project.gp("repair", service.name, "--to", "recorded", "--reason", "a test")
    assert repaired.code == 0, repaired.err
    assert repaired.object["live"] == "v2 (#2, green)"
    assert service.answers() == "v2"
    assert service.status.flags == ()

    service.settle()
    wait_until(lambda: service.dagster.history(service.name)[-1]["what"] == "repair", seconds=60)
    assert service.dagster.history(service.name)[-1]["reason"] == "to recorded: a test"


def test_what_was_done_by_hand_can_be_made_the_truth(
    project: Project, service: TestedService
) -> None:
    _send_everybody_to_blue(project, service)
    repaired = project.gp("repair", service.name, "--to", "observed", "--reason", "a test")
    assert repaired.code == 0, repaired.err
    assert repaired.object["live"] == "v1 (#1, blue)"
    assert (service.live, service.answers(), service.status.flags) == ("v1", "v1", ())


def test_a_lost_record_is_made_again_by_itself(project: Project) -> None:
    service = project.service("brief-2")
    service.release("v1", redeploy=True, allow_downgrade=True)
    live = service.live
    service.project.home.service(service.name).routes.unlink()
    assert service.status.state == "unknown"
    assert service.answers() == live, "Envoy goes on with what it has"
    wait_until(lambda: service.status.state != "unknown", seconds=MADE_AGAIN_SECONDS)
    service.settle()
    assert (service.live, service.answers()) == (live, live)
    service.release("v2", redeploy=True)


def _send_everybody_to_blue(project: Project, service: TestedService) -> None:
    """As a person would do it: change the file's routes, not what is recorded in it."""
    routes = project.home.service(service.name).routes
    content = routes.read_text()
    assert f'"{service.name}.green"' in content
    edited = json.dumps(json.loads(content)).replace(
        f'"{service.name}.green"', f'"{service.name}.blue"'
    )
    write_atomically(routes, edited)
