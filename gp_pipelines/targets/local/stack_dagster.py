"""Bringing Dagster up, until its webserver answers and has loaded the project's code."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from gp_pipelines.errors import TargetUnavailable, redact
from gp_pipelines.services import Services
from gp_pipelines.targets.local.dagster_home import prepare_dagster_home
from gp_pipelines.targets.local.dagster_processes import end_processes
from gp_pipelines.targets.local.dagster_programs import (
    DAEMON,
    WEBSERVER,
    dagster_environment,
    dagster_programs,
    known_secrets,
    log_path,
    missing_variables,
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
        updatedTimestamp
        locationOrLoadError { __typename ... on PythonError { message causes { message } } }
      }
    }
  }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}"""


RELOAD = "mutation { reloadWorkspace { __typename } }"


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
        """Raises `ConfigInvalid` for a directory without a Dagster project, or a wrong one."""
        environment = dagster_environment(self._home, self._services, self._project)
        prepare_dagster_home(self._home, self._project, environment)
        if not self._runs(WEBSERVER):
            move_dagster(self._home, progress)
        for name in missing_variables(self._home, self._services):
            progress(f"{name}, which services.yaml names, is not set: what needs it will fail")
        for program in dagster_programs(self._home, self._project, environment):
            self._supervisor.put(program)

    def remove(self) -> None:
        """End it, and do not start it again with the rest."""
        names = [name for name in (WEBSERVER, DAEMON) if self._supervisor.state(name)]
        if names:
            self._supervisor.remove(*names)
            self.end_left_processes()

    def end_left_processes(self) -> None:
        """End what webserver and daemon, which have ended, had started: code servers and runs."""
        end_processes(self._home)

    def wait(self, progress: Callable[[str], None]) -> None:
        """Raises `TargetUnavailable` if the code can't be loaded, with Dagster's reason."""
        webserver, daemon = self._watched(WEBSERVER), self._watched(DAEMON)
        changed = min(self._services.path.stat().st_mtime, time.time())
        with loopback_client(ANSWER_SECONDS, keep_alive=False) as client:

            def problem() -> str:
                data = self._ask(client, QUERY)
                if data is None:
                    return f"the webserver does not answer yet ({webserver.detail()})"
                late = _not_loaded(data, changed) or _no_sign_of_life(data)
                return f"{late} ({daemon.detail()})" if late else ""

            self._reload_what_is_old(client, changed)

            advice = f"See the logs in {self._home.dagster / 'logs'}, then run `gp up` again."
            wait_for("Dagster", problem, READY_SECONDS, progress, advice=advice)

    def _reload_what_is_old(self, client: httpx.Client, changed: float) -> None:
        """A webserver that runs already does not notice that the code has been corrected, or that
        services.yaml was `changed`; the daemon looks every minute."""
        data = self._ask(client, QUERY)
        if data is not None and (_errors(data) or _older(data, changed)):
            self._ask(client, RELOAD)

    def _ask(self, client: httpx.Client, query: str) -> Any:
        """What the webserver answers; None if it does not."""
        url = f"http://127.0.0.1:{dagster_port(self._home)}/graphql"
        try:
            return client.post(url, json={"query": query}).raise_for_status().json()["data"]
        except (httpx.HTTPError, ValueError):
            return None

    def _watched(self, name: str) -> Watched:
        secrets = tuple(known_secrets(self._home, self._services).values())
        return Watched(self._supervisor, name, log_path(self._home, name), tries=1, secrets=secrets)

    def _runs(self, name: str) -> bool:
        state = self._supervisor.state(name)
        return state is not None and state.running


def _no_sign_of_life(data: Any) -> str:
    statuses = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    late = [each["daemonType"] for each in statuses if each["required"] and not each["healthy"]]
    return f"no sign of life yet of {', '.join(late)}" if late else ""


def _not_loaded(data: Any, changed: float) -> str:
    """What is still to come. Raises `TargetUnavailable` for code that can't be loaded."""
    errors = _errors(data)
    if errors:
        raise TargetUnavailable(
            "\n".join(errors),
            state="What else was started goes on, traffic too.",
            advice="Correct the code; then run `gp up` again.",
        )
    late = [entry["name"] for entry in _entries(data) if entry["loadStatus"] != "LOADED"]
    late = late or _older(data, changed)
    return f"{', '.join(late)} is being loaded" if late else ""


def _errors(data: Any) -> list[str]:
    """Why code can't be loaded."""
    found = []
    for entry in _entries(data):
        outcome = entry["locationOrLoadError"] or {}
        if "message" in outcome and entry["loadStatus"] == "LOADED":
            reasons = [outcome["message"], *(cause["message"] for cause in outcome["causes"])]
            shown = redact(reasons[-1])[:LONGEST_QUOTE].strip()  # the first of all
            found.append(f"{entry['name']} cannot be loaded: {shown}")
    return found


def _older(data: Any, changed: float) -> list[str]:
    """What was loaded before `changed`, in seconds since the epoch."""
    return [each["name"] for each in _entries(data) if each["updatedTimestamp"] < changed]


def _entries(data: Any) -> list[Any]:
    entries = data["workspaceOrError"].get("locationEntries")
    return entries if isinstance(entries, list) else []
