"""Rollbacks as people and alerts get them, on the whole stack."""

import getpass
from pathlib import Path
from typing import Any

import pytest

from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project, TestedService
from gp_pipelines_tests.load import Load
from gp_pipelines_tests.notifications.receiver import Receiver

pytestmark = pytest.mark.xdist_group("e2e")

STEPS = ["assess", "restore_previous", "switch_back", "quarantine", "record"]
COUNTS = {"auto_rollback": "true"}  # the label of an alert that does


@pytest.fixture(scope="module")
def gone_bad(project: Project) -> dict[str, TestedService]:
    """Of each of these v2 is live, and v1 is warm. All at once, since that takes less time."""
    names = ("fed", "probed", "dry", "watched")
    found = {name: project.service(name) for name in names}
    found |= {name: project.free() for name in ("by hand", "preempting")}
    for version in ("v1", "v2"):
        runs = [service.launch(version) for service in found.values()]
        assert [project.dagster.end_of(run) for run in runs] == ["SUCCESS"] * len(runs)
    return found


def release_id(service: TestedService) -> str:
    """Of what is live."""
    live = service.status.live
    assert live
    return live.slot.release_id


def told(people: Receiver, service: TestedService) -> list[dict[str, Any]]:
    """What people were told of it, oldest first."""
    return [each.body["data"] for each in people.received if each.body["subject"] == service.name]


def kinds(people: Receiver, service: TestedService) -> list[str]:
    return [each["kind"] for each in told(people, service)]


def test_a_person_rolls_back_and_finds_everything_linked(
    gone_bad: dict[str, TestedService], people: Receiver
) -> None:
    service = gone_bad["by hand"]
    dagster, bad = service.dagster, release_id(service)
    said = service.gp("rollback", "--reason", "the shop is empty")
    assert said.code == 0, said.err
    result = said.object
    run_id = result["run_id"]
    assert (result["outcome"], list(result["steps"])) == ("done", STEPS)
    assert result["release_id"] == bad
    assert result["release"]["outcome"] == "rolled_back"
    remembered = result["rollback"]
    assert (remembered["run_id"], remembered["outcome"]) == (run_id, "done")
    assert (remembered["reason"], remembered["alert"]) == ("the shop is empty", None)
    assert remembered["timeline"].keys() == {"moved", "first_old_answer", "verified"}
    assert (service.live, service.answers()) == ("v1", "v1")

    assert dagster.run(bad)["tags"]["gp/rolled_back_by"] == run_id
    run_tags = dagster.run(run_id)["tags"]
    assert (run_tags["gp/release_id"], run_tags["gp/source_run_id"]) == (bad, bad)
    assert (run_tags["gp/version"], run_tags["gp/color"]) == ("v1", "blue")
    assert (run_tags["gp/trigger"], run_tags["gp/actor"]) == ("cli", getpass.getuser())
    (newest,) = recorded_rollbacks(service)
    assert (newest["run"], newest["release"]) == (run_id, bad)
    assert (newest["before"], newest["after"]) == ("v2 (#2, green)", "v1 (#1, blue)")
    assert (newest["reason"], newest["way"]) == ("the shop is empty", "warm")

    shown = service.shown
    assert (shown["state"], shown["previous"], shown["rollback"]) == ("live", None, "none")
    assert [each["version"] for each in shown["quarantines"]] == ["v2"]
    assert shown["rollbacks"][0]["run_id"] == run_id
    (message,) = [each for each in told(people, service) if each["kind"] == "rollback_succeeded"]
    assert message["title"] == f"{service.name}: rolled back: v1 (#1, blue) is live"
    assert message["run_id"] == run_id

    for again in (("--release", "2"), ("--release", bad, "--now")):
        already = service.gp("rollback", *again)
        assert already.code == 0, already.err
        assert already.object["outcome"] == "already"
    assert already.object["run_id"] == run_id, "it names the rollback that did it"
    nothing = service.gp("rollback", "--now")
    assert nothing.code == 1
    assert "There is no previous version" in nothing.object["error"]
    assert "since #2 was undone" in nothing.object["error"]
    unknown = service.gp("rollback", "--release", "77")
    assert (unknown.code, unknown.object["error"]) == (2, f"{service.name} has no release '77'.")

    refused = service.gp("release", "v2")
    assert (refused.code, refused.object["outcome"]) == (1, "refused")
    assert "v2 (sha256:" in refused.object["error"]
    assert "is in quarantine" in refused.object["error"]
    service.release("v3")
    assert service.answers() == "v3", "its fix goes at once"


def test_an_alert_that_is_sent_brings_the_old_version_back_and_nobody_loses_a_request(
    gone_bad: dict[str, TestedService], people: Receiver, tmp_path: Path
) -> None:
    """One automatic rollback a day is enough for this service: then it is frozen."""
    service = gone_bad["fed"]
    dagster, bad = service.dagster, release_id(service)
    url = service.platform.target.entrance.url
    assert url
    with Load(url, tmp_path / "load.jsonl", rate=40) as load:
        service.alert(color="green")
        service.alert(color="green", auto_rollback="false")
        service.alert(color="blue", **COUNTS)
        load.complete()
        assert dagster.runs({"gp/service": "fed"}, job="rollback") == []
        service.alert(color="green", **COUNTS)
        wait_until(lambda: service.live == "v1", seconds=30)
        wait_until(service.has_settled)
        results = load.stop()
    assert results.failed == 0, results.examples()
    (run,) = dagster.runs({"gp/service": "fed"}, job="rollback")
    assert dagster.end_of(run["runId"]) == "SUCCESS"
    run_tags = dagster.run(run["runId"])["tags"]
    assert run_tags["gp/trigger"].startswith("alert:")
    assert run_tags["gp/source_run_id"] == bad
    assert dagster.run(bad)["tags"]["gp/rolled_back_by"] == run["runId"]
    shown = service.shown
    assert shown["rollbacks"][0]["alert"]["feed"] == "webhook"
    assert shown["rollbacks"][0]["reason"].startswith("HighErrorRate (webhook) fires since")
    alerts = service.project.platforms.inbox.firing("fed")
    assert [alert.launched for alert in alerts] == [None, None, None, run["runId"]]
    assert "frozen" in shown["flags"]
    refused = service.gp("release", "v3")
    assert refused.code == 1
    assert "fed is frozen by gp_pipelines" in refused.object["error"]
    wait_until(lambda: kinds(people, service)[-2:] == ["rollback_succeeded", "frozen"])


def test_a_version_whose_health_fails_is_rolled_back_by_the_probe(
    gone_bad: dict[str, TestedService],
) -> None:
    service = gone_bad["probed"]
    bad = release_id(service)
    try:
        service.begin("sick", "v2")
        wait_until(lambda: service.live == "v1", seconds=40)
    finally:
        service.end_trouble()
    wait_until(service.has_settled)
    rollback = service.shown["rollbacks"][0]
    assert rollback["release_id"] == bad
    assert (rollback["alert"]["feed"], rollback["alert"]["name"]) == ("probe", "HealthCheckFailure")


def test_a_dry_run_says_what_it_would_have_done_and_launches_nothing(
    gone_bad: dict[str, TestedService],
) -> None:
    service = gone_bad["dry"]
    dagster, bad = service.dagster, release_id(service)
    service.alert(color="green", **COUNTS)
    dry = "dry run of a rollback: nothing was changed"
    wait_until(lambda: dagster.history("dry")[-1]["what"] == dry, seconds=40)
    newest = dagster.history("dry")[-1]
    assert newest["release"] == bad
    assert "HighErrorRate (webhook) fires since" in newest["reason"]
    assert dagster.runs({"gp/service": "dry"}, job="rollback") == []
    assert service.live == "v2"


def test_a_release_under_way_is_preempted_and_its_run_ended(
    gone_bad: dict[str, TestedService],
) -> None:
    """Its new slot has taken the old one's place: that is brought up once more."""
    service = gone_bad["preempting"]
    dagster = service.dagster
    release = service.launch_waiting("v3")
    service.begin("sick", "v1")
    run_id = dagster.launch("rollback", service=service.name, reason="v2 is bad")
    dagster.wait_for_step(run_id, "restore_previous")
    wait_until(lambda: service.status.state == "rolling_back")
    assert service.live == "v2"
    service.end("sick", "v1")
    assert dagster.end_of(run_id) == "SUCCESS", dagster.failure(run_id)
    assert (service.live, service.answers(), service.shown["state"]) == ("v1", "v1", "live")
    assert dagster.end_of(release) in ("FAILURE", "CANCELED"), "Dagster was asked to end it"
    service.end_trouble()
    assert service.slots == ["v1", "v2"], "what it had started is gone"
    shown = dagster.metadata(run_id, "assess")
    assert f"(run {release})" in shown["takes the fence from"]
    assert shown["way"] == "cold"


def test_without_dagster_a_person_rolls_back_is_told_and_it_gets_into_the_history(
    project: Project, gone_bad: dict[str, TestedService], people: Receiver
) -> None:
    service = gone_bad["watched"]
    bad = release_id(service)
    wait_until(lambda: service.shown["flags"] == [], seconds=60, every=1)
    assert project.gp("up", "--no-dagster").code == 0
    try:
        refused = service.gp("rollback", "--reason", "it is down")
        assert refused.code == 1
        assert refused.object["error"] == "Dagster is not running."
        said = service.gp("rollback", "--now", "--reason", "it is down, and v2 is bad")
        assert said.code == 0, said.err
        result = said.object
        assert (result["outcome"], result["way"]) == ("rolled_back", "warm")
        assert (result["before"], result["after"]) == ("v2", "v1")
        assert result["release_id"] == bad
        assert (service.live, service.answers()) == ("v1", "v1")
        assert service.shown["rollbacks"][0]["run_id"] == result["run_id"]
        assert service.gp("rollback", "--now", "--release", bad).object["outcome"] == "already"
        wait_until(lambda: "not_watched" in kinds(people, service), seconds=60)
        # A slow machine may have been found unwatched for a moment before.
        *_, message = [each for each in told(people, service) if each["kind"] == "not_watched"]
        assert message["severity"] == "critical"
        assert "`gp rollback watched --now` works." in message["what"]
        assert service.shown["flags"] == ["not_watched"]
    finally:
        project.up()
    assert "rollback_succeeded" in kinds(people, service)
    wait_until(lambda: "watched_again" in kinds(people, service), seconds=60)
    # A slow machine may find it unwatched once more for a moment.
    wait_until(lambda: service.shown["flags"] == [], seconds=60)
    wait_until(lambda: recorded_rollbacks(service), seconds=60)
    (rollback,) = recorded_rollbacks(service)
    assert rollback["external"] == "done without Dagster"
    assert rollback["reason"] == "it is down, and v2 is bad"
    assert rollback["by"] == f"rollback by {getpass.getuser()}"
    assert (rollback["run"], rollback["release"]) == (result["run_id"], bad)


def recorded_rollbacks(service: TestedService) -> list[dict[str, Any]]:
    """As Dagster's history has them."""
    return [each for each in service.dagster.history(service.name) if each["what"] == "rollback"]
