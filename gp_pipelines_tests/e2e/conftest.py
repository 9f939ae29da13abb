"""One stack for all of these tests, in one worker: each test takes a service of its own in it.

It ends with the last of them: a Dagster that idles on would slow down all tests that come after.
"""

from collections.abc import Iterator

import pytest

from gp_pipelines_tests.e2e.project import Project, TestedService
from gp_pipelines_tests.notifications.receiver import Receiver

SERVICES = 17  # Envoy has three files of each to watch, and the system has a limit for that


@pytest.fixture(scope="package")
def people() -> Iterator[Receiver]:
    """Who is told of everything that happens in the project."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory, people: Receiver) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("e2e")
    project = Project(root)
    project.add_api("api", timeouts={"drain": 5, "switch": 10, "migrate": 6})
    project.add("brief", retention_seconds=1)
    project.add("brief-2", retention_seconds=1)
    project.add("gated", promotion="manual")
    project.add("fed", alerts={"max_automatic_rollbacks": 1})
    project.add("probed", alerts={"probe": {"health_failures": 2}})
    project.add("dry", alerts={"dry_run": True})
    project.add("watched", alerts={"not_watched_after_seconds": 10})
    project.add_free(SERVICES)
    project.variables["GP_NOTIFY_WEBHOOK_URL"] = people.url
    with project.running():
        yield project


@pytest.fixture(scope="package", autouse=True)
def with_a_slot_that_is_due(project: Project) -> TestedService:
    """From the start on: the schedule looks once a minute, while other tests go on."""
    service = project.service("brief")
    service.release("v1")
    service.release("v2")
    return service


@pytest.fixture
def service(project: Project) -> TestedService:
    return project.free()
