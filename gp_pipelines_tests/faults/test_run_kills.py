"""kill -9 of a release's process in each of its steps, under load: nothing is lost or left behind.

All at once, in services of one stack, because most of the time is waiting: for 15 s of silence,
for the sensor, for the run that ends what was left.
"""

import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import RECONCILED_SECONDS, Project, TestedService
from gp_pipelines_tests.faults.run_kills import KILLS, Kill
from gp_pipelines_tests.load import Load, Results

pytestmark = [pytest.mark.xdist_group("kills"), pytest.mark.timeout(600)]

RATE = 10.0  # requests/s for each service
AT_ONCE = 5


@dataclass(frozen=True)
class Aftermath:
    """What was found of one kill, once the reconciler was done with it."""

    run_id: str
    seconds: float  # from the kill until nothing was unfinished any more
    run_status: str
    outcome: str | None
    live: str | None
    slots: list[str]
    holder_lived: bool  # by `gp status`, right after the kill
    next_release: str
    load: Results


@pytest.fixture(scope="module")
def aftermaths(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[Aftermath]]:
    logs = tmp_path_factory.mktemp("loads")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {
            step: pool.submit(_strike, _service(project, kill), kill, logs / f"{number}.jsonl")
            for number, (step, kill) in enumerate(KILLS.items())
        }


@pytest.mark.parametrize("step", KILLS)
def test_a_killed_release_is_ended_by_the_reconciler(
    aftermaths: dict[str, Future[Aftermath]], step: str
) -> None:
    kill, found = KILLS[step], aftermaths[step].result()
    assert not found.holder_lived
    assert found.seconds <= RECONCILED_SECONDS
    assert (found.live, found.outcome) == (kill.live, kill.outcome)
    assert found.slots == (["v1"] if kill.live == "v1" else ["v1", "v2"])
    assert found.run_status == "FAILURE"
    assert found.next_release == "SUCCESS"
    assert found.load.requests > 0
    assert found.load.failed == 0, found.load.examples()


def _service(project: Project, kill: Kill) -> TestedService:
    return project.service(kill.service) if kill.service else project.free()


def _strike(service: TestedService, kill: Kill, log: Path) -> Aftermath:
    dagster = service.dagster
    service.release("v1")
    url = service.platform.target.entrance.url
    with Load(url, log, rate=RATE, seconds=300) as load:
        run_id = kill.reach(service)
        os.kill(dagster.process_of(run_id), signal.SIGKILL)
        killed = time.monotonic()
        if kill.heal:
            service.end_trouble()
        holder_lived = service.status.holder_lives
        service.settle()
        seconds = time.monotonic() - killed
        service.end_trouble()
        wait_until(lambda: dagster.run(run_id)["status"] != "STARTED")
        found = {
            "run_status": dagster.run(run_id)["status"],
            "outcome": service.outcome(run_id),
            "live": service.live,
            "slots": service.slots,
        }
        following = service.launch("v2", redeploy=True)
        next_release = dagster.end_of(following)
        results = load.stop()
    return Aftermath(
        run_id=run_id,
        seconds=seconds,
        holder_lived=holder_lived,
        next_release=next_release,
        load=results,
        **found,
    )
