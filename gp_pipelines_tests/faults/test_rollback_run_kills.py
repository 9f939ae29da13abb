"""kill -9 of a rollback's run in each of its steps, under load: it is ended, and nobody notices.

By the sensor, which launches it again, as long as traffic has not moved; by the reconciler then.
All at once, in services of one stack.
"""

import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from gp_pipelines import restrictions, rollbacks
from gp_pipelines.cleanup.reconcile import unfinished
from gp_pipelines.model import MovedBy, TrafficRecord
from gp_pipelines.rollbacks import Rollback
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project, TestedService
from gp_pipelines_tests.faults.rollback_run_kills import KILLS, RollbackKill
from gp_pipelines_tests.load import Load, Results

pytestmark = [pytest.mark.xdist_group("kills"), pytest.mark.timeout(600)]

RATE = 10.0  # requests/s for each service
# A launched run that never began counts as lost after 20 s, then as many for its second one.
ENDED_SECONDS = 120.0


@dataclass(frozen=True)
class Ended:
    """What the target says, once the rollback was ended all the same."""

    record: TrafficRecord
    rollback: Rollback | None
    quarantined: list[str]
    outcome: str | None  # of the release that was undone


@dataclass(frozen=True)
class Aftermath:
    """What was found of one kill."""

    bad: str  # the release
    run_status: str  # of the run that was killed
    ended: Ended
    load: Results
    fix: str


@pytest.fixture(scope="module")
def aftermaths(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[Aftermath]]:
    logs = tmp_path_factory.mktemp("loads")
    with ThreadPoolExecutor(len(KILLS)) as pool:
        return {
            step: pool.submit(_strike, _service(project, kill), kill, logs / f"{number}.jsonl")
            for number, (step, kill) in enumerate(KILLS.items())
        }


@pytest.mark.parametrize("step", KILLS)
def test_a_killed_rollback_is_ended_and_loses_nothing(
    aftermaths: dict[str, Future[Aftermath]], step: str
) -> None:
    found = aftermaths[step].result()
    ended, record = found.ended, found.ended.record
    assert record.live is not None
    assert (record.live.version, record.confirmed, record.previous) == ("v1", True, None)
    assert (record.moved_by, record.undone) == (MovedBy.ROLLBACK, found.bad)
    assert len(record.automatic) == 1
    assert found.run_status == "FAILURE"
    assert ended.quarantined == ["v2"]
    assert ended.outcome == "rolled_back"
    assert ended.rollback is not None
    assert ended.rollback.outcome == "done"
    assert found.load.requests > 0
    assert found.load.failed == 0, found.load.examples()
    assert found.fix == "SUCCESS"


def _service(project: Project, kill: RollbackKill) -> TestedService:
    return project.service(kill.service) if kill.service else project.free()


def _strike(service: TestedService, kill: RollbackKill, log: Path) -> Aftermath:
    dagster = service.dagster
    bad = service.go_bad()
    url = service.platform.target.entrance.url
    assert url
    with Load(url, log, rate=RATE, seconds=300) as load:
        run = kill.reach(service)
        os.kill(run.pid, signal.SIGKILL)
        service.end_trouble()
        wait_until(lambda: _is_over(service), seconds=ENDED_SECONDS)
        run_status = dagster.end_of(run.id)
        ended = _ended(service, bad)
        fix = dagster.end_of(service.launch("v3"))
        return Aftermath(bad, run_status, ended, load.stop(), fix)


def _ended(service: TestedService, bad: str) -> Ended:
    target = service.platform.target
    return Ended(
        record=target.traffic.read().record,
        rollback=rollbacks.found(target.ledger, bad),
        quarantined=[each.version for each in restrictions.quarantines(target.ledger)],
        outcome=service.outcome(bad),
    )


def _is_over(service: TestedService) -> bool:
    target = service.platform.target
    record = target.traffic.read().record
    return service.live == "v1" and not unfinished(record, target.slots.list())
