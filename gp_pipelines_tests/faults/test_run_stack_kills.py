"""kill -9 of what runs around a release: it ends as it should, and users notice little of it.

What is supervised comes back by itself; supervisord itself comes back with `gp up`, and nothing
that it watched has noticed.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from gp_pipelines_tests.e2e.dagster import ENDED
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project, TestedService
from gp_pipelines_tests.load import Load

pytestmark = [pytest.mark.xdist_group("kills"), pytest.mark.timeout(300)]

RATE = 20.0
BACK_SECONDS = 60


@pytest.fixture(scope="module")
def service(project: Project) -> TestedService:
    return project.free()


@pytest.fixture
def run_id(service: TestedService) -> Iterator[str]:
    """A release of v2 over v1, in the middle of its smoke checks until the trouble ends."""
    service.release("v1", redeploy=True, allow_downgrade=True)
    service.begin("waiting", "v2")
    try:
        run_id = service.launch("v2")
        service.dagster.wait_for_step(run_id, "smoke")
        yield run_id
    finally:
        service.end_trouble()


@pytest.fixture
def load(service: TestedService, run_id: str, tmp_path: Path) -> Iterator[Load]:
    url = service.platform.target.entrance.url
    with Load(url, tmp_path / "load.jsonl", rate=RATE, seconds=280) as load:
        yield load


def test_the_daemon_comes_back_and_the_release_has_not_noticed(
    project: Project, service: TestedService, run_id: str, load: Load
) -> None:
    project.kill("dagster-daemon")
    service.end_trouble()
    assert service.dagster.end_of(run_id) == "SUCCESS", service.dagster.failure(run_id)
    wait_until(lambda: project.pid("dagster-daemon"), seconds=BACK_SECONDS)
    assert (service.live, service.answers()) == ("v2", "v2")
    _nothing_was_lost(load)


def test_the_webserver_comes_back_and_the_release_ends_either_way(
    project: Project, service: TestedService, run_id: str, load: Load
) -> None:
    """Its code server, which has started the run, ends after it: the run may end with that."""
    project.kill("dagster-webserver")
    wait_until(lambda: _answers(service.dagster.url), seconds=BACK_SECONDS)
    service.end_trouble()
    wait_until(lambda: service.dagster.run(run_id)["status"] in ENDED, seconds=BACK_SECONDS)
    service.settle()
    released = service.dagster.run(run_id)["status"] == "SUCCESS"
    assert service.live == ("v2" if released else "v1")
    assert service.outcome(run_id) == ("released" if released else "failed")
    service.release("v2", redeploy=True)
    _nothing_was_lost(load)


def test_supervisord_comes_back_with_gp_up_and_the_replicas_have_not_noticed(
    project: Project, service: TestedService, run_id: str, load: Load
) -> None:
    pid = int((project.home.supervisor / "supervisord.pid").read_text())
    psutil.Process(pid).kill()
    service.end_trouble()
    service.dagster.end_of(run_id)
    service.settle()
    assert service.live in ("v1", "v2")
    project.up()
    assert project.gp("status").code == 0
    service.release("v2", redeploy=True)
    assert service.answers() == "v2"
    _nothing_was_lost(load)


def test_envoy_comes_back_with_the_traffic_where_it_was(
    project: Project, service: TestedService, run_id: str
) -> None:
    """The check that it cuts fails, and the release with it."""
    project.kill("envoy")
    wait_until(lambda: _answers(service.platform.target.entrance.url), seconds=BACK_SECONDS)
    service.end_trouble()
    assert service.dagster.end_of(run_id) == "FAILURE"
    assert service.dagster.failure(run_id)[0] == "smoke"
    assert (service.live, service.slots, service.answers()) == ("v1", ["v1"], "v1")
    service.release("v2")
    assert service.answers() == "v2"


def test_postgres_comes_back_and_the_release_is_done_again(project: Project) -> None:
    service = project.service("api-backup")
    service.release("v1", redeploy=True, allow_downgrade=True)
    run_id = service.launch("v2", redeploy=True)
    service.dagster.wait_for_step(run_id, "build")
    project.kill("postgres")
    released = service.dagster.end_of(run_id) == "SUCCESS"
    service.settle()
    assert service.live == ("v2" if released else "v1")
    health = f"{service.platform.target.entrance.url}/api/health"
    wait_until(lambda: httpx.get(health, trust_env=False).status_code == 200, BACK_SECONDS)
    service.release("v2", redeploy=True)
    assert service.live == "v2"


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/identity", timeout=2.0, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def _nothing_was_lost(load: Load) -> None:
    time.sleep(1)
    results = load.stop()
    assert results.requests > 0
    assert results.failed == 0, results.examples()
