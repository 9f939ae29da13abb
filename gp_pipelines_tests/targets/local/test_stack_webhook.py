"""`gp webhook` as `gp up` has it running: at one address, with few variables, after any crash."""

import os
import signal

import httpx
import psutil
import pytest

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local import stack_webhook
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines.wiring import Platforms
from gp_pipelines_tests.alerts.examples import labels, plain
from gp_pipelines_tests.alerts.running_webhook import Client
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.targets.local.project import Project
from gp_pipelines_tests.targets.local.taken_ports import listening_on

TOKEN = "t0ken-of-the-caller"
FED = {"alertmanager": {"url": "http://127.0.0.1:9093", "token": {"env": "ALERTMANAGER_TOKEN"}}}


@pytest.fixture(autouse=True)
def only_what_the_test_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GP_WEBHOOK_TOKEN", "GP_WEBHOOK_SECRET", "ALERTMANAGER_TOKEN", "API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_what_was_accepted_before_a_kill_is_there_after_it(project: Project) -> None:
    address = project.up().webhook
    assert address is not None
    pid = project.pids()["webhook"]
    assert _send(project, address) == 200
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: _is_healthy(address) and project.pids().get("webhook") != pid)
    assert _send(project, address, pod="after") == 200
    found = Platforms(project.services, project.home).inbox.firing("api")
    assert [each.labels.get("pod") for each in found] == [None, "after"]


def test_the_webhook_keeps_its_address_and_its_token(project: Project) -> None:
    address = project.up().webhook
    token = (project.home.webhook / "token").read_text()
    project.down()
    assert project.stack.addresses().webhook is None
    assert project.up().webhook == address
    assert (project.home.webhook / "token").read_text() == token


def test_its_port_is_another_one_if_somebody_took_it_and_that_is_said(project: Project) -> None:
    address = project.up().webhook
    assert address is not None
    project.down()
    with listening_on(int(address.rpartition(":")[2])):
        moved = project.up().webhook
    assert moved is not None
    assert moved != address
    assert _is_healthy(moved)
    assert [line for line in project.said if "has to be told" in line]


def test_a_service_that_was_added_is_known_to_it(project: Project) -> None:
    address = project.up().webhook
    assert address is not None
    before = project.pids()
    project.have("api", "second")
    assert project.up().webhook == address
    assert project.pids()["envoy"] == before["envoy"]
    assert _send(project, address, service="second") == 200
    (found,) = Platforms(project.services, project.home).inbox.firing("second")
    assert found.labels["service"] == "second"


def test_it_has_the_variables_of_alerts_and_no_secret_of_a_service(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.have("api", secrets={"KEY": {"env": "API_KEY"}}, alerts=FED)
    monkeypatch.setenv("API_KEY", "s3cret-of-the-service")
    monkeypatch.setenv("ALERTMANAGER_TOKEN", "t0ken-of-alertmanager")
    monkeypatch.setenv("GP_WEBHOOK_TOKEN", TOKEN)
    address = project.up().webhook
    assert address is not None
    assert _send(project, address, token=TOKEN) == 200
    assert not (project.home.webhook / "token").exists()
    process = psutil.Process(project.pids()["webhook"])
    environment = process.environ()
    assert environment["ALERTMANAGER_TOKEN"] == "t0ken-of-alertmanager"
    assert "API_KEY" not in environment
    assert TOKEN not in " ".join(process.cmdline())

    before = project.pids()
    monkeypatch.delenv("GP_WEBHOOK_TOKEN")  # from another shell, which does not have it
    project.up()
    assert project.pids() == before


def test_one_that_cannot_start_is_reported_with_its_reason(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GP_WEBHOOK_TOKEN", "short")
    with pytest.raises(TargetUnavailable, match="GP_WEBHOOK_TOKEN holds is no token"):
        project.up()
    assert project.pids()["envoy"]


def test_one_that_cannot_write_is_reported(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_webhook, "READY_SECONDS", 5.0)
    project.home.inbox.parent.mkdir(parents=True)
    project.home.inbox.write_bytes(b"no database" * 1000)
    with pytest.raises(TargetUnavailable, match=r"it cannot take alerts: .*cannot be used"):
        project.up()
    project.home.inbox.unlink()
    assert project.up().webhook is not None


def test_it_is_ended_with_the_rest(project: Project) -> None:
    address = project.up().webhook
    assert address is not None
    project.down()
    assert not _is_healthy(address)
    assert "webhook" in Supervisor(project.home).states()


def _send(project: Project, address: str, token: str | None = None, **more: str) -> int:
    client = Client(int(address.rpartition(":")[2]))
    proof = token or (project.home.webhook / "token").read_text().strip()
    return client.post(plain(labels=labels(**more)), token=proof).status_code


def _is_healthy(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health").is_success
    except httpx.HTTPError:
        return False
