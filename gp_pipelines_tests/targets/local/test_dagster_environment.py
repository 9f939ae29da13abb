"""What Dagster's processes get of the environment in which `gp up` was called."""

from collections.abc import Mapping

import pytest

from gp_pipelines.notifications import channels, run_url
from gp_pipelines.targets.local import caller_variables, dagster_programs
from gp_pipelines.targets.local.stack_ports import dagster_port
from gp_pipelines.targets.local.supervisord import Supervisord
from gp_pipelines_tests.targets.local.project import Project


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in caller_variables.FOR_PEOPLE:
        monkeypatch.delenv(name, raising=False)


def environments(project: Project) -> list[Mapping[str, str]]:
    """Of the webserver and of the daemon."""
    home = project.home
    passed_on = dagster_programs.dagster_environment(home, project.services, project.directory)
    return [
        program.environment
        for program in dagster_programs.dagster_programs(home, project.directory, passed_on)
    ]


def test_all_addresses_where_people_are_told_are_passed_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*channels.VARIABLES, run_url.VARIABLE):
        monkeypatch.setenv(name, f"https://{name}")
    for environment in environments(project):
        for name in (*channels.VARIABLES, run_url.VARIABLE):
            assert environment[name] == f"https://{name}"


def test_the_token_of_an_alertmanager_is_passed_on_and_missed_where_it_is_not_set(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = {"env": "ALERTMANAGER_TOKEN"}
    project.have("api", alerts={"alertmanager": {"url": "http://127.0.0.1:1", "token": token}})
    monkeypatch.delenv("ALERTMANAGER_TOKEN", raising=False)
    missing = dagster_programs.missing_variables(project.home, project.services)
    assert missing == ("ALERTMANAGER_TOKEN",)
    monkeypatch.setenv("ALERTMANAGER_TOKEN", "s3cret")
    assert {each["ALERTMANAGER_TOKEN"] for each in environments(project)} == {"s3cret"}


def test_a_run_is_linked_at_this_machine_unless_people_reach_dagster_elsewhere(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = f"http://127.0.0.1:{dagster_port(project.home)}"
    assert {run_url.run_url(e, "id") for e in environments(project)} == {f"{local}/runs/id"}
    monkeypatch.setenv("GP_DAGSTER_URL", "https://dagster.example/")
    assert {run_url.run_url(e, "id") for e in environments(project)} == {
        "https://dagster.example/runs/id"
    }


def test_an_address_is_kept_by_a_shell_that_does_not_have_it_and_dropped_by_an_empty_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GP_NOTIFY_SLACK_URL", "https://slack")
    home = project.home
    passed_on = dagster_programs.dagster_environment(home, project.services, project.directory)
    (webserver, _) = dagster_programs.dagster_programs(home, project.directory, passed_on)
    before = Supervisord(home.supervisor).definition(dagster_programs.WEBSERVER)
    before.parent.mkdir(parents=True, exist_ok=True)
    before.write_text(webserver.to_json())
    monkeypatch.delenv("GP_NOTIFY_SLACK_URL")
    assert channels.configured(environments(project)[0])
    monkeypatch.setenv("GP_NOTIFY_SLACK_URL", "")
    assert not channels.configured(environments(project)[0])
