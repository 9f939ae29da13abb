"""`gp webhook` as a process of its own, which a test may kill."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from gp_pipelines_tests.alerts.running_webhook import CREDENTIALS, Client
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.targets.local.project import Project

ENVIRONMENT = {"GP_WEBHOOK_TOKEN": CREDENTIALS.token, "GP_WEBHOOK_SECRET": CREDENTIALS.secret}


@contextmanager
def webhook_process(
    project: Project, port: int, log: Path, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    """Once it takes alerts."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gp_pipelines.cli.main", "webhook", "--port", str(port)],
            env={
                "GP_HOME": str(project.home.root),
                "GP_SERVICES": str(project.directory / "services.yaml"),
                **(environment or ENVIRONMENT),
            },
            stdout=output,
            stderr=output,
        )
    client = Client(port)
    try:
        wait_until(lambda: _takes_alerts(process, client, log), every=0.05)
        yield process, client
    finally:
        client.http.close()
        process.kill()
        process.wait()


def _takes_alerts(process: subprocess.Popen[bytes], client: Client, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return client.http.get("/health").is_success
    except httpx.HTTPError:
        return False
