"""`promotion: manual`: the release ends before the switch, and a person decides."""

import httpx
import pytest

from gp_pipelines_tests.e2e.project import Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e")


def test_a_release_waits_for_a_person_and_goes_live_when_it_is_promoted(project: Project) -> None:
    service, dagster = project.service("gated"), project.dagster
    waiting = service.launch("v1")
    assert dagster.end_of(waiting) == "SUCCESS"
    assert dagster.steps(waiting)[-1] == "smoke", "switch and schedule_cleanup are skipped"

    said = project.gp("status", "gated")
    (status,) = said.object["services"]
    assert (status["state"], status["live"]) == ("waiting", None)
    slots = {slot["version"]: slot["state"] for slot in status["slots"]}
    assert slots == {"v1": "waiting"}
    preview = dagster.metadata(waiting, "deploy_inactive")["preview"]
    assert httpx.get(f"{preview}/identity").json()["version"] == "v1"
    assert service.answers() is None, "users do not see it"

    other = service.launch("v2")
    assert dagster.end_of(other) == "FAILURE"
    assert "waits to be promoted" in dagster.failure(other)[1]

    promoted = dagster.launch("promote", service="gated")
    assert dagster.end_of(promoted) == "SUCCESS", dagster.failure(promoted)
    assert (service.live, service.answers()) == ("v1", "v1")
    assert service.outcome(waiting) == "released"
    run_tags = dagster.run(promoted)["tags"]
    assert (run_tags["gp/release_id"], run_tags["gp/source_run_id"]) == (waiting, waiting)

    nothing = project.gp("promote", "gated")
    assert nothing.code == 1
    assert "No release of gated waits to be promoted." in nothing.object["error"]


def test_a_waiting_release_is_removed_when_it_is_rejected(
    project: Project, service: TestedService
) -> None:
    service.release("v1")
    said = project.gp("release", service.name, "v2", "--manual")
    assert (said.code, said.object["outcome"]) == (0, "waiting"), said.err
    assert service.status.state == "waiting"
    rejected = project.gp("reject", service.name, "--reason", "not today")
    assert rejected.code == 0, rejected.err
    assert (service.live, service.slots) == ("v1", ["v1"])
    assert service.status.state == "live"
    run = service.ledger[0]
    assert (run["outcome"], run["reason"]) == ("rejected", "not today")
    service.release("v2")
