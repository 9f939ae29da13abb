"""The project is at home in Dagster's own command line tools."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from gp_pipelines_tests.e2e.project import BIN, CHECKOUT, Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e")

SECONDS = 120


def test_the_definitions_are_valid_also_where_no_target_runs(tmp_path: Path) -> None:
    done = _dg("check", "defs", GP_HOME=str(tmp_path / "nothing here"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All definitions loaded successfully" in done.stdout
    assert not (tmp_path / "nothing here").exists()


def test_a_wrong_services_yaml_is_told_by_dg_check(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    file.write_text("services: {one: {replicas: many}}")
    done = _dg("check", "defs", GP_SERVICES=str(file))
    assert done.returncode != 0
    assert "services.one.replicas" in done.stdout + done.stderr


def test_the_definitions_are_listed(tmp_path: Path) -> None:
    done = _dg("list", "defs", "--json", GP_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    jobs = {"release", "promote", "rollback", "restore", "cleanup", "contract", "reconcile"}
    assert {job["name"] for job in found["jobs"]} == jobs
    assert [asset["asset_key"] for asset in found["assets"]] == ["ghostpirates-api/live"]
    assert {sensor["name"] for sensor in found["sensors"]} == {
        "reconcile_what_is_left",
        "rollback_on_alert",
    }
    assert {schedule["name"] for schedule in found["schedules"]} == {"cleanup_when_due"}


def test_a_release_is_launched_with_dg(project: Project, service: TestedService) -> None:
    config = {"service": service.name, "version": "v1", "manual": False}
    done = _dg(
        *("launch", "--job", "release", "--config-json", json.dumps(config)),
        DAGSTER_HOME=str(project.home.dagster),
        GP_HOME=str(project.home.root),
        GP_SERVICES=str(project.file),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (service.live, service.answers()) == ("v1", "v1")
    (run,) = service.dagster.runs({"gp/service": service.name})
    assert (run["jobName"], run["status"]) == ("release", "SUCCESS")


def test_dg_dev_comes_up(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "dagster").mkdir()
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [BIN / "dg", "dev", "--port", str(port), "--host", "127.0.0.1"],
            cwd=CHECKOUT,
            env=_environment(GP_HOME=str(tmp_path), DAGSTER_HOME=str(tmp_path / "dagster")),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name } } } } }"
    jobs: set[str] = set()
    deadline = time.monotonic() + SECONDS
    try:
        while not jobs:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                url = f"http://127.0.0.1:{port}/graphql"
                data = httpx.post(url, json={"query": query}, trust_env=False).json()["data"]
                nodes = data["repositoriesOrError"]["nodes"]
                jobs = {job["name"] for node in nodes for job in node["jobs"]}
            except httpx.HTTPError:
                time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert {"release", "promote"} <= jobs


def _dg(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "dg", *arguments],
        cwd=CHECKOUT,
        env=_environment(**environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def _environment(**more: str) -> dict[str, str]:
    own = ("GP_HOME", "GP_SERVICES", "DAGSTER_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    path = os.pathsep.join((str(BIN), os.environ["PATH"]))
    return {**kept, "PATH": path, "DAGSTER_DISABLE_TELEMETRY": "1", **more}
