"""kill -9 of what runs around rollbacks: three are under way, each in another step, under load.

Each ends on the old version, verified, whatever was killed: by its own run, by another one that the
sensor launches, or by the reconciler.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from gp_pipelines import restrictions
from gp_pipelines.model import MovedBy
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project, TestedService
from gp_pipelines_tests.faults.conftest import ROLLING
from gp_pipelines_tests.faults.rollback_run_kills import (
    launched,
    short_of_replicas,
    unverified,
)
from gp_pipelines_tests.load import Load, Results

pytestmark = [pytest.mark.xdist_group("kills"), pytest.mark.timeout(600)]

RATE = 10.0
BACK_SECONDS = 60
ENDED_SECONDS = 120.0


@pytest.fixture
def services(project: Project) -> Iterator[list[TestedService]]:
    """v2 is live, and bad, in each; v1 is warm. As often as a test wants it."""
    found = [project.service(name) for name in ROLLING]
    for service in found:
        for each in restrictions.quarantines(service.platform.target.ledger):
            restrictions.lift(service.platform.target.ledger, each)
    for version in ("v1", "v2"):
        if version == "v1" and all(service.live == "v1" for service in found):
            continue
        wanted = [service.launch(version, allow_downgrade=True) for service in found]
        assert [project.dagster.end_of(run) for run in wanted] == ["SUCCESS"] * len(wanted)
    yield found
    for service in found:
        service.end_trouble()


@pytest.fixture
def loads(services: list[TestedService], tmp_path: Path) -> Iterator[list[Load]]:
    with ExitStack() as stack:
        urls = [service.platform.target.entrance.url for service in services]
        yield [
            stack.enter_context(Load(str(url), tmp_path / f"{n}.jsonl", rate=RATE, seconds=280))
            for n, url in enumerate(urls)
        ]


@pytest.mark.parametrize(
    "killed", [["dagster-daemon", "webhook"], ["dagster-webserver"]], ids=" and ".join
)
def test_who_launches_rollbacks_comes_back_and_each_one_ends(
    project: Project, services: list[TestedService], loads: list[Load], killed: list[str]
) -> None:
    all_under_way(services)
    for program in killed:
        project.kill(program)
    for service in services:
        service.end_trouble()
    all_rolled_back(services)
    for program in killed:
        wait_until(partial(project.pid, program), seconds=BACK_SECONDS)
    wait_until(lambda: _answers(services[0].dagster.url), seconds=BACK_SECONDS)
    for load in loads:
        results = end(load)
        assert results.failed == 0, results.examples()


def test_envoy_comes_back_with_the_old_version_and_loses_only_what_it_had_itself(
    project: Project, services: list[TestedService], loads: list[Load]
) -> None:
    all_under_way(services)
    project.kill("envoy")
    for service in services:
        service.end_trouble()
    all_rolled_back(services)
    back = time.time_ns()
    for load, service in zip(loads, services, strict=True):
        time.sleep(1)
        results = end(load)
        assert results.failed_by_version["v1"] == 0, results.examples()
        assert results.during(back).failed == 0, results.during(back).examples()
        assert service.answers() == "v1"


def all_under_way(services: list[TestedService]) -> None:
    """The first waits for its old version's replicas, the second verifies, the third begins."""
    restoring, verifying, beginning = services
    short_of_replicas(restoring)
    unverified(verifying)
    launched(beginning)


def all_rolled_back(services: list[TestedService]) -> None:
    for service in services:
        wait_until(partial(_is_rolled_back, service), seconds=ENDED_SECONDS)
        target = service.platform.target
        (quarantined,) = restrictions.quarantines(target.ledger)
        assert quarantined.version == "v2"
        assert service.ledger[0]["outcome"] == "rolled_back"


def _is_rolled_back(service: TestedService) -> bool:
    record = service.platform.target.traffic.read().record
    moved = record.moved_by is MovedBy.ROLLBACK and service.live == "v1"
    return moved and service.has_settled()


def end(load: Load) -> Results:
    results = load.stop()
    assert results.requests > 0
    return results


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/server_info", timeout=2.0, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False
