"""`gp up` but for Dagster: it does what is missing, and leaves alone what runs."""

import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Color
from gp_pipelines.targets.local import envoy_admin, stack_entrance
from gp_pipelines.targets.local.envoy import preview_port
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.postgres import EmbeddedPostgres
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines.targets.local.unix_sockets import socket_path
from gp_pipelines_tests.contract.examples import a_slot, bring_up
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.targets.local.project import Project, database

UP = """
import pathlib, sys
from gp_pipelines_tests.targets.local.project import Project
project = Project(pathlib.Path(sys.argv[1]))
project.have("api", database={"migrations": {"command": ["migrate"], "directory": "m"}})
project.up()
"""


def test_up_opens_every_entrance_and_preview(project: Project) -> None:
    project.have("api", "web")
    addresses = project.up()
    assert addresses.dagster is None
    assert set(addresses.entrances) == {"api", "web"}
    for url in addresses.entrances.values():
        assert httpx.get(url).status_code == 503  # nothing is live yet
    for color in Color:
        port = preview_port(project.home, "web", color)
        assert httpx.get(f"http://127.0.0.1:{port}").status_code == 503


def test_up_makes_a_database_for_each_service_that_has_none_of_its_own(project: Project) -> None:
    project.have("api", "web", database=database())
    project.up()
    for name in ("api", "web"):
        psycopg.connect(EmbeddedPostgres(project.home).url(name)).close()


def test_without_an_embedded_database_no_postgres_runs(project: Project) -> None:
    project.have("api", database=database({"env": "API_DATABASE_URL"}))
    project.up()
    assert _programs(project.home) == {"envoy", "webhook"}
    project.have("api", database=database())
    project.up()
    assert _programs(project.home) == {"envoy", "postgres", "webhook"}
    project.have("api", database=database({"env": "API_DATABASE_URL"}))
    project.up()
    assert _programs(project.home) == {"envoy", "webhook"}


def test_up_leaves_alone_what_runs(project: Project) -> None:
    project.have("api", database=database())
    first = project.up()
    before = project.pids()
    assert project.up() == first
    assert project.pids() == before
    assert before.keys() == {"envoy", "postgres", "webhook"}


def test_two_ups_at_once_start_one_stack(project: Project) -> None:
    project.have("api", database=database())
    with ThreadPoolExecutor(3) as pool:
        ups = [pool.submit(project.stack.up, False, project.say) for _ in range(3)]
        addresses = [up.result() for up in ups]
    assert addresses[0] == addresses[1] == addresses[2]
    assert {state.restarts for state in Supervisor(project.home).states().values()} == {0}


def test_up_takes_over_what_a_killed_supervisor_left(project: Project) -> None:
    project.up()
    before = project.pids()
    project.kill_supervisord()
    project.up()
    assert project.pids() == before
    assert Supervisor(project.home).is_up()


@pytest.mark.parametrize(
    "moment",
    ["stack.lock", "supervisor/run/envoy.json", "postgres/data.*.new/base", "postgres/run/.s.*"],
)
def test_up_ends_what_a_killed_up_began(project: Project, moment: str) -> None:
    project.have("api", database=database())
    with subprocess.Popen([sys.executable, "-c", UP, project.directory]) as killed:
        try:
            seen = project.home.root.glob
            wait_until(lambda: list(seen(moment)), still=lambda: killed.poll() is None)
        finally:
            killed.kill()
    address = project.up().entrances["api"]
    assert httpx.get(address).status_code == 503
    psycopg.connect(EmbeddedPostgres(project.home).url("api")).close()


def test_a_home_that_cannot_be_made_is_named(project: Project) -> None:
    project.home.root.write_text("a file")
    with pytest.raises(TargetUnavailable, match=r"var cannot be written: File exists"):
        project.up()
    project.home.root.unlink()


def test_up_starts_an_envoy_that_was_stopped(project: Project) -> None:
    addresses = project.up()
    Supervisor(project.home).stop("envoy")
    assert project.up() == addresses
    assert httpx.get(addresses.entrances["api"]).status_code == 503


def test_up_starts_an_envoy_anew_that_runs_and_does_not_answer(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = project.up()
    monkeypatch.setattr(envoy_admin, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(stack_entrance, "ANSWER_SECONDS", 1.0)
    os.kill(project.pids()["envoy"], signal.SIGSTOP)
    project.up()
    assert "Envoy runs and does not answer: it is started again" in project.said
    assert httpx.get(addresses.entrances["api"]).status_code == 503


def test_slots_of_a_service_that_is_gone_from_services_yaml_are_told(project: Project) -> None:
    project.have("api", "web")
    project.up()
    subject = project.subject("web")
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    project.have("api")
    project.up()
    (told,) = [line for line in project.said if "not in services.yaml any more" in line]
    assert slot.name in told


def test_the_admin_interface_of_envoy_is_its_owners_alone(project: Project) -> None:
    project.up()
    socket_file = socket_path(project.home.envoy, "admin.sock")
    assert stat.S_ISSOCK(socket_file.stat().st_mode)
    assert stat.S_IMODE(socket_file.stat().st_mode) == 0o600


def _programs(home: Home) -> set[str]:
    return set(Supervisor(home).states())
