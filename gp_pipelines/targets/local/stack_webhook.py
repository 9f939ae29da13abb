"""Bringing `gp webhook` up, until it takes alerts. It runs without Dagster, too."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from gp_pipelines.services import Services
from gp_pipelines.targets.local.caller_variables import FOR_PEOPLE, FOR_SENDERS, known, of_alerts
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.plain_http import loopback_client
from gp_pipelines.targets.local.program import Program
from gp_pipelines.targets.local.stack_ports import move_webhook, webhook_port
from gp_pipelines.targets.local.stack_waiting import Watched, wait_for
from gp_pipelines.targets.local.supervisor import Supervisor

PROGRAM = "webhook"
READY_SECONDS = 60.0
ANSWER_SECONDS = 5.0

# It reads services.yaml at its start: a change of that starts it again.
MARK = "GP_WEBHOOK_CONFIGURATION"


class StackWebhook:
    """The webhook of one home, for the services of one services.yaml."""

    def __init__(self, home: Home, services: Services, project: Path) -> None:
        self._home = home
        self._services = services
        self._project = project
        self._supervisor = Supervisor(home)
        self._log = home.webhook / "logs" / "webhook.log"

    def url(self) -> str | None:
        """None if it does not run."""
        if not self._runs():
            return None
        return f"http://127.0.0.1:{webhook_port(self._home)}"

    def start(self, progress: Callable[[str], None]) -> None:
        if not self._runs():
            move_webhook(self._home, progress)
        self._supervisor.put(self._program())

    def wait(self, progress: Callable[[str], None]) -> None:
        """Raises `TargetUnavailable` with its own reason."""
        program = Watched(
            self._supervisor, PROGRAM, self._log, tries=3, secrets=tuple(self._variables().values())
        )
        with loopback_client(ANSWER_SECONDS, keep_alive=False) as client:

            def problem() -> str:
                try:
                    answer = client.get(f"http://127.0.0.1:{webhook_port(self._home)}/health")
                except httpx.HTTPError:
                    return f"it does not answer ({program.detail()})"
                return "" if answer.is_success else f"it cannot take alerts: {answer.text}"

            advice = f"See {self._log}, then run `gp up` again."
            wait_for("The webhook", problem, READY_SECONDS, progress, advice=advice)

    def _program(self) -> Program:
        port = str(webhook_port(self._home))
        return Program(
            name=PROGRAM,
            command=(sys.executable, "-m", "gp_pipelines.cli.main", "webhook", "--port", port),
            directory=self._project,
            log=self._log,
            environment={
                **self._variables(),
                "GP_HOME": str(self._home.root),
                "GP_SERVICES": str(self._services.path),
                MARK: hashlib.sha256(self._services.path.read_bytes()).hexdigest()[:16],
            },
        )

    def _variables(self) -> dict[str, str]:
        """It is reached by strangers: it gets no secret of a service."""
        names = (*of_alerts(self._services), *FOR_PEOPLE, *FOR_SENDERS)
        return dict(known(self._home, names))

    def _runs(self) -> bool:
        state = self._supervisor.state(PROGRAM)
        return state is not None and state.running
