"""Dagster as `gp up` starts it: with the project's code, its own home, and few variables."""

import stat
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from dagster import DagsterInstance
from dagster._core.run_coordinator import DefaultRunCoordinator

from gp_pipelines.errors import ConfigInvalid, TargetUnavailable
from gp_pipelines.targets.local.dagster_programs import DAEMON, WEBSERVER
from gp_pipelines.targets.local.program import Program
from gp_pipelines.targets.local.stack import Addresses
from gp_pipelines.targets.local.supervisord import Supervisord
from gp_pipelines_tests.targets.local.project import DAGSTER_YAML, Project
from gp_pipelines_tests.targets.local.taken_ports import listening_on

SECRET = "s3cr3t-of-the-caller"
SECRETS = {"TOKEN": {"env": "API_TOKEN"}, "KEY": {"env": "API_KEY"}}

JOB_FOR_EACH_SERVICE = """
import dagster as dg
from gp_pipelines.services import load_services
from gp_pipelines.wiring import services_file

@dg.op
def nothing() -> None: ...

names = load_services(services_file()).names
defs = dg.Definitions(jobs=[dg.GraphDefinition(n, node_defs=[nothing]).to_job() for n in names])
"""
JOBS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name } } } } }"


@pytest.fixture
def project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("API_TOKEN", SECRET)
    monkeypatch.setenv("ANOTHERS_TOKEN", "not-for-dagster")
    project.have("api", secrets=SECRETS)
    return project


def test_dagster_from_its_first_start_to_its_end(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One story: each start takes seconds."""
    addresses = _up(project)
    _serves_the_projects_code(addresses)
    _has_the_named_variables_and_no_other(project)
    assert [line for line in project.said if "API_KEY, which" in line]

    before = project.pids()
    monkeypatch.delenv("API_TOKEN")  # from another shell, which does not have it
    assert _up(project) == addresses
    assert project.pids() == before

    project.write("dagster.yaml", project.directory.joinpath("dagster.yaml").read_text() + "\n#\n")
    assert _up(project) == addresses
    assert project.pids()[WEBSERVER] != before[WEBSERVER]
    assert project.pids()["envoy"] == before["envoy"]

    assert project.up().dagster is None
    assert project.pids().keys() == {"envoy", "webhook"}
    assert _of_dagster(project) == []


def test_the_port_of_dagster_is_another_one_if_somebody_took_it(project: Project) -> None:
    address = _up(project).dagster
    assert address is not None
    project.down()
    assert _of_dagster(project) == []
    with listening_on(int(address.rpartition(":")[2])):
        moved = _up(project).dagster
    assert moved is not None
    assert moved != address
    assert httpx.get(f"{moved}/server_info").status_code == 200


def test_code_that_cannot_be_loaded_is_reported_until_it_is_corrected(project: Project) -> None:
    right = project.directory.joinpath("definitions.py").read_text()
    project.write("definitions.py", "raise ValueError('the hold is full')")
    with pytest.raises(TargetUnavailable, match="the hold is full"):
        _up(project)
    before = project.pids()
    project.write("definitions.py", right)
    _serves_the_projects_code(_up(project))
    assert project.pids() == before


def test_a_service_that_was_added_is_known_to_a_dagster_that_runs(project: Project) -> None:
    project.write("definitions.py", JOB_FOR_EACH_SERVICE)
    assert _jobs(_up(project)) == {"api"}
    before = project.pids()
    project.have("api", "second", secrets=SECRETS)
    assert _jobs(_up(project)) == {"api", "second"}
    started_again = {"webhook": project.pids()["webhook"]}  # it reads services.yaml once
    assert project.pids() == {**before, **started_again}


def test_a_dagster_yaml_that_is_wrong_is_reported_with_its_error(project: Project) -> None:
    project.write("dagster.yaml", "no_such_setting: 1\n")
    with pytest.raises(ConfigInvalid, match="no_such_setting"):
        _up(project)


def test_a_directory_without_a_dagster_project_is_named(project: Project) -> None:
    project.directory.joinpath("workspace.yaml").unlink()
    with pytest.raises(ConfigInvalid, match=r"workspace\.yaml cannot be read"):
        _up(project)


def test_the_instance_is_what_dagster_yaml_says(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(DAGSTER_YAML.read_text())
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert isinstance(instance.run_coordinator, DefaultRunCoordinator)
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_resume_run_attempts == 0
        assert not instance.run_retries_enabled
        assert instance.get_settings("sensors") == {"use_threads": True, "num_workers": 4}
        assert instance.storage_directory().startswith(str(tmp_path))


def _up(project: Project) -> Addresses:
    return project.stack.up(dagster=True, progress=project.say)


def _serves_the_projects_code(addresses: Addresses) -> None:
    query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name } } } } }"
    answer = httpx.post(f"{addresses.dagster}/graphql", json={"query": query}).json()
    (repository,) = answer["data"]["repositoriesOrError"]["nodes"]
    assert "small" in {job["name"] for job in repository["jobs"]}


def _jobs(addresses: Addresses) -> set[str]:
    answer = httpx.post(f"{addresses.dagster}/graphql", json={"query": JOBS}).json()
    (repository,) = answer["data"]["repositoriesOrError"]["nodes"]
    return {job["name"] for job in repository["jobs"]} - {"__ASSET_JOB"}


def _has_the_named_variables_and_no_other(project: Project) -> None:
    supervisord = Supervisord(project.home.supervisor)
    for name in (WEBSERVER, DAEMON):
        environment = psutil.Process(project.pids()[name]).environ()
        assert environment["API_TOKEN"] == SECRET
        assert environment["GP_HOME"] == str(project.home.root)
        assert environment["GP_SERVICES"] == str(project.services.path)
        assert "ANOTHERS_TOKEN" not in environment
        assert stat.S_IMODE(supervisord.definition(name).stat().st_mode) == 0o600
        program = Program.read(supervisord.definition(name))
        assert program is not None
        assert SECRET not in " ".join(program.command)


def _of_dagster(project: Project) -> list[psutil.Process]:
    """Every process that has this Dagster's home, those that hold the code and the runs too."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("DAGSTER_HOME") == str(project.home.dagster):
                found.append(process)
    return found
