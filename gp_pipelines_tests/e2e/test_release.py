"""Releases through Dagster: what they do to the target, and what people find of them afterwards."""

import psycopg
import pytest

from gp_pipelines import tags
from gp_pipelines.targets.local.postgres import EmbeddedPostgres
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e")

STEPS = [
    "plan",
    "build",
    "backup",
    "migrate",
    "deploy_inactive",
    "smoke",
    "switch",
    "schedule_cleanup",
]


def test_a_release_takes_the_traffic_over_and_people_find_in_dagster_what_it_did(
    service: TestedService,
) -> None:
    dagster = service.dagster
    first = service.release("v1")
    second = service.launch("v2")
    assert dagster.end_of(second) == "SUCCESS"
    assert dagster.steps(second) == STEPS
    assert (service.live, service.slots, service.answers()) == ("v2", ["v1", "v2"], "v2")
    assert service.status.rollback == "warm"

    found = {step: dagster.metadata(second, step) for step in STEPS}
    assert all(found.values()), "each step shows something"
    assert "v1 → v2" in found["plan"]["plan"]
    assert found["build"]["digest"].startswith("sha256:")
    assert found["backup"] == {"backup": "none: nothing is pending"}
    assert found["migrate"] == {"applied": "none was pending"}
    assert found["deploy_inactive"]["ready"] == "1/1"
    assert "GET /check | passed" in found["smoke"]["checks"]
    assert found["switch"]["traffic"] == "v1 (#1, blue) → v2 (#2, green)"
    assert found["switch"]["requests lost"] == 0
    assert found["schedule_cleanup"]["old slot stays warm until"] > 0

    run_tags = dagster.run(second)["tags"]
    assert {name: value for name, value in run_tags.items() if name.startswith("gp/")} == {
        tags.SERVICE: service.name,
        tags.VERSION: "v2",
        tags.RELEASE_ID: second,
        tags.SOURCE_RUN_ID: second,
        tags.COLOR: "green",
        tags.NUMBER: "2",
        tags.ACTOR: "ui",
        tags.TRIGGER: "ui",
        tags.QUEUE: "release",
    }
    history = dagster.history(service.name)
    assert [(each["what"], each["before"], each["after"], each["run"]) for each in history] == [
        ("switch", "nothing", "v1 (#1, blue)", first),
        ("switch", "v1 (#1, blue)", "v2 (#2, green)", second),
    ]
    assert [each["run_id"] for each in history] == [first, second]


def test_a_release_that_fails_its_smoke_checks_changes_nothing_and_can_be_gone_on_with(
    service: TestedService,
) -> None:
    dagster = service.dagster
    service.release("v1")
    with service.trouble("failing", "v2"):
        failed = service.launch("v2")
        assert dagster.end_of(failed) == "FAILURE"
    step, said = dagster.failure(failed)
    assert step == "smoke"
    assert "GET /check: status 500" in said
    shown = dagster.metadata(failed, "smoke")
    assert "GET /check | FAILED" in shown["checks"]
    assert "v2 listens" in "".join(str(value) for value in shown.values()), "the replica's log"
    assert (service.live, service.slots, service.outcome(failed)) == ("v1", ["v1"], "failed")

    again = dagster.execute_again(failed)
    assert dagster.end_of(again) == "SUCCESS", dagster.failure(again)
    assert dagster.steps(again) == ["smoke", "switch", "schedule_cleanup"]
    assert (service.live, service.answers()) == ("v2", "v2")
    live = service.status.live
    assert live
    assert (live.slot.release_id, live.slot.number) == (failed, 2), "it is the same release"
    assert service.outcome(again) == "released"


def test_a_release_is_not_gone_on_with_once_the_target_has_moved_on(
    service: TestedService,
) -> None:
    dagster = service.dagster
    service.release("v1")
    with service.trouble("failing", "v2"):
        failed = service.launch("v2")
        assert dagster.end_of(failed) == "FAILURE"
    service.release("v1", redeploy=True)
    again = dagster.execute_again(failed)
    assert dagster.end_of(again) == "FAILURE"
    step, said = dagster.failure(again)
    assert step == "smoke"
    assert "has moved on since release #2 was planned: v1 (#3, green) is live now" in said
    assert dagster.metadata(again, "smoke")["outcome"] == "refused"
    assert (service.live, service.slots) == ("v1", ["v1", "v1"])


def test_a_switch_that_cannot_be_verified_goes_back(service: TestedService) -> None:
    dagster = service.dagster
    service.release("v1")
    run_id = service.launch_unverifiable("v2")
    assert dagster.end_of(run_id) == "FAILURE"
    step, said = dagster.failure(run_id)
    assert step == "switch"
    assert "Traffic is back on v1 (#1, blue), verified." in said
    assert (service.live, service.slots, service.answers()) == ("v1", ["v1"], "v1")
    assert [(each["what"], each["after"]) for each in dagster.history(service.name)] == [
        ("switch", "v1 (#1, blue)"),
        ("switch", "v2 (#2, green)"),
        ("switch_back", "v1 (#1, blue)"),
        ("retire", "v1 (#1, blue)"),
    ]
    assert service.outcome(run_id) == "failed"


def test_a_migration_that_a_lock_holds_up_fails_and_is_gone_on_with(project: Project) -> None:
    api = project.service("api")
    dagster = api.dagster
    first = api.release("v1")
    assert dagster.metadata(first, "migrate")["applied"] == "0001_missions"
    url = EmbeddedPostgres(project.home).url(api.name)
    with psycopg.connect(url) as session:
        session.execute("LOCK TABLE missions IN ACCESS SHARE MODE")
        failed = api.launch("v2")
        assert dagster.end_of(failed) == "FAILURE"
    assert dagster.failure(failed)[0] == "migrate"
    assert (api.live, api.slots) == ("v1", ["v1"])
    backup = dagster.metadata(failed, "backup")
    assert backup["verified"]
    assert "| public.missions | " in backup["rows"]

    again = dagster.execute_again(failed)
    assert dagster.end_of(again) == "SUCCESS", dagster.failure(again)
    shown = dagster.metadata(again, "migrate")
    assert shown["applied"] == "0002_mission_crew, 0003_missions_by_crew"
    assert "4 of 4 checks" in shown["the live version on the new schema"]
    assert api.live == "v2"


def test_status_the_ledger_and_dagster_agree(project: Project, service: TestedService) -> None:
    dagster = service.dagster
    service.release("v1")
    with service.trouble("failing", "v2"):
        dagster.end_of(service.launch("v2"))
    service.release("v2")
    dagster.end_of(service.launch("v2"))

    said = project.gp("status", service.name)
    (status,) = said.object["services"]
    runs = {run["runId"]: run for run in dagster.runs({tags.SERVICE: service.name})}
    ledger = {document["run_id"]: document for document in service.ledger}
    assert status["state"] == "live"
    assert status["live"]["version"] == "v2"
    assert {run["run_id"] for run in status["runs"]} == ledger.keys()
    refused = runs.keys() - ledger.keys()  # by its plan: that was no release
    assert [runs[run_id]["status"] for run_id in refused] == ["FAILURE"]
    for run in status["runs"]:
        run_tags = {tag["key"]: tag["value"] for tag in runs[run["run_id"]]["tags"]}
        assert run == ledger[run["run_id"]]
        assert run["version"] == run_tags[tags.VERSION]
        succeeded = runs[run["run_id"]]["status"] == "SUCCESS"
        assert succeeded == (run["outcome"] == "released")
    outcomes = [run["outcome"] for run in sorted(status["runs"], key=lambda run: run["number"])]
    assert outcomes == ["released", "failed", "released"]


def test_an_old_slot_is_retired_by_the_schedule_when_its_time_is_over(
    with_a_slot_that_is_due: TestedService,
) -> None:
    service = with_a_slot_that_is_due
    wait_until(lambda: service.slots == ["v2"], seconds=100)
    service.settle()
    wait_until(lambda: len(service.dagster.history(service.name)) == 3)
    retired = service.dagster.history(service.name)[-1]
    assert (retired["what"], retired["retired"]) == ("retire", "v1 (#1, blue)")
    run_tags = service.dagster.run(retired["run_id"])["tags"]
    assert run_tags[tags.TRIGGER] == "schedule"
    assert run_tags[tags.SERVICE] == service.name


def test_what_is_due_is_retired_when_a_person_asks(project: Project) -> None:
    service = project.service("brief-2")
    service.release("v1", redeploy=True, allow_downgrade=True)
    service.release("v2")
    said = project.gp("cleanup", service.name)
    assert (said.code, said.object["outcome"]) == (0, "done"), said.err
    assert service.slots == ["v2"]
    assert service.answers() == "v2"
