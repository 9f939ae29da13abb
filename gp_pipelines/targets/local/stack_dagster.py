"""Bringing Dagster up, until its webserver answers and has loaded the project's code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from gp_pipelines.errors import redact
from gp_pipelines.services import Services
from gp_pipelines.targets.local.dagster_programs import (
    DAEMON,
    WEBSERVER,
    dagster_programs,
    known_secrets,
    log_path,
    missing_variables,
    prepare_dagster,
)
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.plain_http import loopback_client
from gp_pipelines.targets.local.stack_ports import dagster_port, move_dagster
from gp_pipelines.targets.local.stack_waiting import Watched, wait_for
from gp_pipelines.targets.local.supervisor import Supervisor

READY_SECONDS = 180.0
ANSWER_SECONDS = 10.0
LONGEST_QUOTE = 1000

QUERY = """{
  workspaceOrError {
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError { __typename ... on PythonError { message } }
      }
    }
    ... on PythonError { message }
  }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}"""


class StackDagster:
    """Dagster of one home, for the project in one directory."""

    def __init__(self, home: Home, services: Services, project: Path) -> None:
        self._home = home
        self._services = services
        self._project = project
        self._supervisor = Supervisor(home)

    def url(self) -> str | None:
        """None if the webserver does not run."""
        if not self._runs(WEBSERVER):
            return None
        return f"http://127.0.0.1:{dagster_port(self._home)}"

    def start(self, progress: Callable[[str], None]) -> None:
        """Raises `ConfigInvalid` for a directory without a Dagster project."""
        prepare_dagster(self._home, self._project)
        if not self._runs(WEBSERVER):
            move_dagster(self._home, progress)
        for name in missing_variables(self._home, self._services):
            progress(f"{name}, which services.yaml names, is not set: what needs it will fail")
        for program in dagster_programs(self._home, self._services, self._project):
            self._supervisor.put(program)

    def remove(self) -> None:
        """End it, and do not start it again with the rest."""
        names = [name for name in (WEBSERVER, DAEMON) if self._supervisor.state(name)]
        if names:
            self._supervisor.remove(*names)

    def wait(self, progress: Callable[[str], None]) -> None:
        """Raises `TargetUnavailable` if the code can't be loaded, with Dagster's reason."""
        webserver, daemon = self._watched(WEBSERVER), self._watched(DAEMON)
        with loopback_client(ANSWER_SECONDS, keep_alive=False) as client:

            def problem() -> str:
                data = self._ask(client)
                if data is None:
                    return f"the webserver does not answer yet ({webserver.detail()})"
                late = _not_loaded(data) or _no_sign_of_life(data)
                return f"{late} ({daemon.detail()})" if late else ""

            advice = f"See the logs in {self._home.dagster / 'logs'}, then run `gp up` again."
            wait_for("Dagster", problem, READY_SECONDS, progress, advice=advice)

    def _ask(self, client: httpx.Client) -> Any:
        """What the webserver says about itself; None if it does not answer."""
        url = f"http://127.0.0.1:{dagster_port(self._home)}/graphql"
        try:
            return client.post(url, json={"query": QUERY}).raise_for_status().json()["data"]
        except (httpx.HTTPError, ValueError):
            return None

    def _watched(self, name: str) -> Watched:
        secrets = tuple(known_secrets(self._home, self._services).values())
        return Watched(self._supervisor, name, log_path(self._home, name), secrets)

    def _runs(self, name: str) -> bool:
        state = self._supervisor.state(name)
        return state is not None and state.running


def _no_sign_of_life(data: Any) -> str:
    statuses = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    late = [each["daemonType"] for each in statuses if each["required"] and not each["healthy"]]
    return f"no sign of life yet of {', '.join(late)}" if late else ""


def _not_loaded(data: Any) -> str:
    workspace = data["workspaceOrError"]
    entries = workspace.get("locationEntries")
    if not entries:
        return redact(workspace.get("message", "it knows no code location"))[:LONGEST_QUOTE]
    for entry in entries:
        found = entry["locationOrLoadError"]
        if found and found["__typename"] == "PythonError":
            return f"{entry['name']} cannot be loaded: {redact(found['message'])[:LONGEST_QUOTE]}"
        if entry["loadStatus"] != "LOADED" or not found:
            return f"{entry['name']} is being loaded"
    return ""
