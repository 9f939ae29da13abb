"""`gp webhook` as a process: what it has answered with 200 outlives it, and no secret is shown."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from gp_pipelines.alerts.inbox import Inbox
from gp_pipelines.wiring import Platforms
from gp_pipelines_tests.alerts.examples import group, labels, plain
from gp_pipelines_tests.alerts.running_webhook import CREDENTIALS, Client
from gp_pipelines_tests.alerts.webhook_process import ENVIRONMENT, webhook_process
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.targets.local.project import Project
from gp_pipelines_tests.targets.local.taken_ports import listening


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def port() -> int:
    with listening() as port:
        return port


def test_what_was_answered_with_200_is_there_after_a_kill(
    project: Project, port: int, tmp_path: Path
) -> None:
    answered: list[str] = []

    def send(client: Client) -> None:
        for number in range(10_000):
            try:
                answer = client.post(group({"labels": labels(pod=f"pod-{number}")}))
            except httpx.HTTPError:
                return
            if answer.status_code == 200:
                answered.append(f"pod-{number}")

    with webhook_process(project, port, tmp_path / "log") as (process, client):
        sender = threading.Thread(target=send, args=(client,))
        sender.start()
        wait_until(lambda: len(answered) > 20, every=0.001)
        process.send_signal(signal.SIGKILL)
        sender.join(60)
    assert len(answered) > 20
    with webhook_process(project, port, tmp_path / "log") as (_, client):
        assert client.post(plain(labels=labels(pod="after"))).status_code == 200
    kept = {found.labels["pod"] for found in _inbox(project).firing("api")}
    assert {*answered, "after"} - kept == set()


def test_it_ends_when_it_is_asked_to(project: Project, port: int, tmp_path: Path) -> None:
    with webhook_process(project, port, tmp_path / "log") as (process, _):
        process.terminate()
        process.wait(30)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_no_secret_is_shown(project: Project, port: int, tmp_path: Path) -> None:
    with webhook_process(project, port, tmp_path / "log") as (process, client):
        command = psutil.Process(process.pid).cmdline()
        client.post(plain(labels=labels(password="password=hunter2")))
        client.post(plain(labels={"password=hunter2": 5}))
        client.http.get("/webhook/alert?token=hunter2")
        client.bare(plain(), {"Authorization": "Bearer hunter2-of-somebody-else"})
    log = (tmp_path / "log").read_text()
    for secret in (CREDENTIALS.token, CREDENTIALS.secret, "hunter2"):
        assert secret not in log
        assert secret not in " ".join(command)


def test_where_none_are_configured_token_and_secret_are_made_up_and_kept(
    project: Project, port: int, tmp_path: Path
) -> None:
    files = [project.home.webhook / name for name in ("token", "secret")]
    with webhook_process(project, port, tmp_path / "log", LANG="C") as (_, client):
        made_up = [file.read_text().strip() for file in files]
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert client.post(plain()).status_code == 401
        assert client.post(plain(), token=made_up[0]).status_code == 200
    with webhook_process(project, port, tmp_path / "log", LANG="C") as (_, client):
        assert client.post(plain(), token=made_up[0]).status_code == 200
    assert not set(made_up) & set((tmp_path / "log").read_text().split())


@pytest.mark.parametrize("variable", ["GP_WEBHOOK_TOKEN", "GP_WEBHOOK_SECRET"])
@pytest.mark.parametrize("value", ["short", "with blanks in between them", "ünïcödé-ünïcödé-ü"])
def test_a_token_that_anybody_could_guess_is_refused(
    project: Project, port: int, variable: str, value: str
) -> None:
    said = _fails(project, port, {**ENVIRONMENT, variable: value})
    assert said.returncode == 2
    assert f"the environment variable {variable}" in said.stderr
    assert value not in said.stderr


def test_an_empty_variable_lets_nobody_in(project: Project, port: int, tmp_path: Path) -> None:
    with webhook_process(project, port, tmp_path / "log", GP_WEBHOOK_TOKEN="") as (_, client):
        assert client.bare(plain(), {"Authorization": "Bearer"}).status_code == 401


def test_a_port_that_somebody_has_is_named(project: Project) -> None:
    with listening() as taken:
        said = _fails(project, taken, ENVIRONMENT)
    assert said.returncode == 1
    assert f"Port {taken} of the webhook is taken by process" in said.stderr


def _fails(
    project: Project, port: int, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gp_pipelines.cli.main", "webhook", "--port", str(port)],
        env={
            "GP_HOME": str(project.home.root),
            "GP_SERVICES": str(project.directory / "services.yaml"),
            "COLUMNS": "300",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _inbox(project: Project) -> Inbox:
    return Platforms(project.services, project.home).inbox
