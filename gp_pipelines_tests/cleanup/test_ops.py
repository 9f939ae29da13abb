"""The job `reconcile` as Dagster runs it, on a fake target."""

from dataclasses import replace
from pathlib import Path

import dagster as dg

from gp_pipelines.cleanup.job import reconcile_job
from gp_pipelines.cleanup.reconcile import reconcile
from gp_pipelines.model import MovedBy
from gp_pipelines.platform import Platform
from gp_pipelines.services import Services
from gp_pipelines_tests.cleanup.conftest import LIVE
from gp_pipelines_tests.faults.fake_target import FakeTarget


def run(platform: Platform) -> dg.ExecuteInProcessResult:
    job = reconcile_job(Services(Path("services.yaml"), {"api": platform.service}))
    return job.execute_in_process(
        run_config={"service": "api"},
        resources={"platforms": {"api": platform}, "reconcile": reconcile},
        raise_on_error=False,
    )


def test_traffic_that_cannot_be_settled_makes_the_run_fail(platform: Platform) -> None:
    target = platform.target
    assert isinstance(target, FakeTarget)
    # Never switched back: it is verified again, and its live version does not answer.
    target.world.record = replace(target.world.record, moved_by=MovedBy.ROLLBACK)
    result = run(platform)
    assert not result.success
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    told = failure.step_failure_data.user_failure_data
    assert told
    said = str(told.description)
    assert "could not be settled" in said
    assert LIVE.describe() in said
    assert target.world.record.holder is None


def test_traffic_that_was_settled_does_not(platform: Platform) -> None:
    result = run(platform)  # a first release that does not answer: back to nothing
    assert result.success
    assert platform.target.traffic.read().record.confirmed
