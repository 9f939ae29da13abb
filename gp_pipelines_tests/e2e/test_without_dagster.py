"""Dagster is down: the traffic goes on, and `gp` tells what is true and what cannot be done."""

import httpx
import pytest

from gp_pipelines_tests.e2e.project import Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e")


def test_the_target_is_all_that_is_needed_to_know_and_to_reject(
    project: Project, service: TestedService
) -> None:
    service.release("v1")
    waiting = service.launch("v2", manual=True)
    assert service.dagster.end_of(waiting) == "SUCCESS"

    assert project.gp("up", "--no-dagster").code == 0
    try:
        said = project.gp("status", service.name)
        assert said.code == 0, said.err
        assert said.object["dagster_url"] is None
        assert httpx.get(f"{said.object['webhook_url']}/health").status_code == 200
        (status,) = said.object["services"]
        assert (status["state"], status["live"]["version"]) == ("waiting", "v1")
        assert [run["outcome"] for run in status["runs"]] == ["waiting", "released"]

        for command in (("release", service.name, "v2"), ("promote", service.name)):
            refused = project.gp(*command)
            assert refused.code == 1
            assert refused.object["error"] == "Dagster is not running."
            assert "`gp up` starts it" in refused.object["advice"]

        rejected = project.gp("reject", service.name)
        assert rejected.code == 0, rejected.err
        assert (service.live, service.slots, service.answers()) == ("v1", ["v1"], "v1")
    finally:
        project.up()
    service.release("v2")
    assert service.live == "v2"
