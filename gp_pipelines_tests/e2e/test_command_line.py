"""`gp`: one object on stdout, exit codes that scripts can rely on, one clear error."""

import re

import pytest
import yaml

from gp_pipelines_tests.e2e.project import Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e")

WRONG_USAGE = 2


@pytest.fixture(scope="module")
def live(project: Project) -> TestedService:
    service = project.free()
    service.release("v1")
    return service


def test_a_release_is_followed_step_by_step_and_ends_with_one_object(
    project: Project, live: TestedService
) -> None:
    said = project.gp("release", live.name, "v2")
    assert said.code == 0, said.err
    result = said.object
    run_id = result["run_id"]
    assert result["outcome"] == "done"
    assert list(result["steps"]) == live.dagster.steps(run_id)
    assert result["release"]["outcome"] == "released"
    assert result["release"]["switch"]["requests lost"] == 0
    assert result["url"] == f"{live.dagster.url}/runs/{run_id}"
    for step in result["steps"]:
        assert f"▶ {step}" in said.err
        assert f"✓ {step} (" in said.err
    assert "smoke: round 1/1: 2 of 2 checks pass" in said.err
    run_tags = live.dagster.run(run_id)["tags"]
    assert run_tags["gp/trigger"] == "cli"
    assert run_tags["gp/actor"] not in ("", "ui", "cli")


def test_no_wait_launches_a_run_and_leaves_it(project: Project, live: TestedService) -> None:
    said = project.gp("release", live.name, "v2", "--redeploy", "--no-wait")
    assert said.code == 0, said.err
    assert said.object["outcome"] == "launched"
    assert live.dagster.end_of(said.object["run_id"]) == "SUCCESS"


def test_a_release_that_fails_ends_with_1_and_says_where_and_why(
    project: Project, live: TestedService
) -> None:
    with live.trouble("failing", "v-bad"):
        said = project.gp("release", live.name, "v-bad")
    assert said.code == 1
    result = said.object
    assert result["outcome"] == "failed"
    assert list(result["steps"])[-1] == "smoke"
    assert "GET /check: status 500" in result["error"]
    assert "✗ smoke (" in said.err
    assert live.slots.count("v-bad") == 0


def test_logs_of_every_replica(project: Project, live: TestedService) -> None:
    said = project.gp("logs", live.name, "-n", "5")
    assert said.code == 0, said.err
    slots = said.object["slots"]
    assert len(slots) == len(live.slots)
    newest = live.status.live
    assert newest
    assert next(iter(slots)) == newest.slot.name, "the live slot comes first"
    assert slots[newest.slot.name][f"{newest.slot.name}.1"].strip() == "v2 listens"
    for_people = project.gp("logs", live.name, json=False)
    assert for_people.out.count(" listens") == len(live.slots)


def test_status_for_people(project: Project, live: TestedService) -> None:
    said = project.gp("status", live.name, json=False, COLUMNS="200")
    assert said.code == 0, said.err
    assert re.search(rf"^{live.name}  live  http://127\.0\.0\.1:\d+", said.out, re.M)
    assert re.search(r"#\d+ +v2 +live +1/1", said.out)
    assert "rollback: cold, to v2 (#" in said.out, "the failed release needed its color"
    assert "GET /check: status 500" in said.out, "why the last release failed"
    assert f"Dagster: {project.dagster.url}" in said.out


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("release", "SERVICE", "v1"),
        ("promote",),
        ("reject",),
        ("cleanup",),
        ("logs",),
        ("repair", "SERVICE", "--to", "recorded", "--reason", "none"),
    ],
)
def test_an_unknown_service_is_wrong_usage(project: Project, command: tuple[str, ...]) -> None:
    arguments = [part if part != "SERVICE" else "nobody" for part in command]
    said = project.gp(*arguments, *([] if "nobody" in arguments else ["nobody"]))
    assert said.code == WRONG_USAGE
    assert "There is no service 'nobody'" in said.object["error"]
    assert "Known services: api, " in said.object["advice"]
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "version", ["../v1", "v1/../../etc", "$(reboot)", "v1;ls", "a b", "`id`", "v1\n", "", "v" * 65]
)
def test_a_version_that_is_no_name_is_wrong_usage(
    project: Project, live: TestedService, version: str
) -> None:
    said = project.gp("release", live.name, version)
    assert said.code == WRONG_USAGE
    assert said.object["error"] == f"{version!r} is not a version."
    assert said.err.count("is not a version") == 1
    assert "Traceback" not in said.err


def test_a_wrong_option_is_wrong_usage(project: Project, live: TestedService) -> None:
    assert project.gp("release", live.name).code == WRONG_USAGE
    assert project.gp("release", live.name, "v1", "--fast").code == WRONG_USAGE
    assert project.gp("sail").code == WRONG_USAGE
    assert project.gp("repair", live.name, "--to", "there", "--reason", "r").code == WRONG_USAGE


def _unknown_key(services: dict) -> None:
    services["one"]["timeouts"] = {"biuld": 3}


def _bad_type(services: dict) -> None:
    services["one"]["replicas"] = "many"


def _missing_source(services: dict) -> None:
    services["one"]["artifact"]["source"] = "nowhere"


def _same_port(services: dict) -> None:
    for service in services.values():
        service["target"] = {"port": 8123}


def _bad_name(services: dict) -> None:
    services["One!"] = services.pop("one")


def _second_name(services: dict) -> None:
    services["one"]["name"] = "uno"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (_second_name, "services.one.name"),
        (_unknown_key, "services.one.timeouts.biuld"),
        (_bad_type, "services.one.replicas"),
        (_missing_source, "services.one.artifact.source"),
        (_same_port, "services.two.target.port"),
        (_bad_name, "services.One!"),
    ],
)
def test_a_wrong_services_yaml_is_one_error_that_names_the_field(
    project: Project, tmp_path, change, where: str
) -> None:
    services = {name: project.definition("brief") for name in ("one", "two")}
    change(services)
    file = tmp_path / "services.yaml"
    file.write_text(yaml.dump({"services": services}, Dumper=_Plain))
    said = project.gp("status", GP_SERVICES=str(file))
    assert said.code == WRONG_USAGE
    error = said.object["error"]
    assert str(file) in error
    assert where in error
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "does not exist"), ("services: [", "cannot be read"), ("", "not valid")],
)
def test_a_services_yaml_that_is_none(
    project: Project, tmp_path, content: str | None, said: str
) -> None:
    file = tmp_path / "services.yaml"
    if content is not None:
        file.write_text(content)
    answer = project.gp("status", GP_SERVICES=str(file))
    assert answer.code == WRONG_USAGE
    assert str(file) in answer.object["error"]
    assert said in answer.object["error"]


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True
