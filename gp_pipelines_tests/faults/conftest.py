"""A whole stack of its own for the tests that kill what runs in it."""

from collections.abc import Iterator

import pytest

from gp_pipelines_tests.e2e.project import Project

SERVICES = 12  # Envoy has three files of each to watch, and the system has a limit for that

ROLLING = ("rolling-1", "rolling-2", "rolling-3")  # are rolled back again and again


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("faults"))
    for name in ("api-backup", "api-migrate"):
        project.add_api(name)
    project.add("brief", retention_seconds=1)
    project.add("slow", timeouts={"drain": 20, "switch": 8, "deploy": 30, "smoke": 60})
    for name in ROLLING:
        project.add(name, alerts={"max_automatic_rollbacks": 20})
    project.add_free(SERVICES)
    with project.running():
        yield project
