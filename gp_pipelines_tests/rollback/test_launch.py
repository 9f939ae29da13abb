"""What a launched rollback carries: what the job asks for, and whose it is."""

import dagster as dg

from gp_pipelines.rollback.job import rollback_job
from gp_pipelines.rollback.launch import run_config, run_tags
from gp_pipelines.rollback.request import AlertSeen, RollbackRequest
from gp_pipelines.rollback.watch import Wanted
from gp_pipelines_tests.rollback.watched import watched

SEEN = AlertSeen("webhook", "HighErrorRate", "f1", "2026-02-03T04:05:06Z", "2026-02-03T04:05:07Z")


def a_wanted(alert: AlertSeen | None) -> Wanted:
    return Wanted("api", RollbackRequest("release-2", "it fires", alert), launches=0)


def test_the_job_takes_what_is_launched_for_an_alert_and_for_a_persons_retry() -> None:
    job = rollback_job(watched("api").services)
    for alert in (SEEN, None):
        assert dg.validate_run_config(job, run_config(a_wanted(alert)))


def test_the_run_is_found_by_the_release_and_by_the_alert() -> None:
    assert run_tags(a_wanted(SEEN)) == {
        "gp/service": "api",
        "gp/source_run_id": "release-2",
        "gp/trigger": "alert:f1",
    }
    assert run_tags(a_wanted(None))["gp/trigger"] == "sensor"
