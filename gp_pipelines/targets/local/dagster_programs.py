"""Dagster's webserver and daemon as supervised programs of one home."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gp_pipelines.services import Services
from gp_pipelines.targets.local.caller_variables import FOR_PEOPLE, known, needed
from gp_pipelines.targets.local.dagster_home import configuration
from gp_pipelines.targets.local.dagster_processes import MARK
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.program import Program
from gp_pipelines.targets.local.stack_ports import dagster_port

WEBSERVER = "dagster-webserver"
DAEMON = "dagster-daemon"
STOP_SECONDS = 30.0  # they end the processes that hold the code, and those the runs that go on

LOCAL_URL = "GP_DAGSTER_LOCAL_URL"  # where it is to be reached if nothing else is said

# Not the caller's: Dagster, and any run in it, would be restarted by `gp up` from another shell.
SYSTEM_PATH = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin")


def dagster_environment(home: Home, services: Services, project: Path) -> dict[str, str]:
    """What services.yaml takes from variables is passed on, and where people are told: nothing
    else of the caller's."""
    return {
        **known_secrets(home, services),
        "DAGSTER_HOME": str(home.dagster),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "GP_HOME": str(home.root),
        "GP_SERVICES": str(services.path),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), *SYSTEM_PATH)),
        "PYTHONWARNINGS": "ignore",
        MARK: configuration(project),  # so a change of what is read once starts them again
    }


def dagster_programs(
    home: Home, project: Path, environment: Mapping[str, str]
) -> tuple[Program, Program]:
    """The webserver and the daemon."""
    port = dagster_port(home)
    address = ("-h", "127.0.0.1", "-p", str(port))
    workspace = ("-w", str(project / "workspace.yaml"))

    def program(name: str, *arguments: str) -> Program:
        return Program(
            name=name,
            command=(sys.executable, "-m", *arguments, *workspace),
            directory=project,
            log=log_path(home, name),
            environment={**environment, LOCAL_URL: f"http://127.0.0.1:{port}"},
            stop_wait=STOP_SECONDS,
        )

    return (
        program(WEBSERVER, "dagster_webserver", *address),
        program(DAEMON, "dagster._daemon", "run"),
    )


def log_path(home: Home, name: str) -> Path:
    return home.dagster / "logs" / f"{name}.log"


def missing_variables(home: Home, services: Services) -> tuple[str, ...]:
    """Those that neither the caller nor what was started before has."""
    has = known_secrets(home, services)
    return tuple(name for name in needed(services) if name not in has)


def known_secrets(home: Home, services: Services) -> Mapping[str, str]:
    """The addresses where people are told are secrets too."""
    return known(home, (*needed(services), *FOR_PEOPLE))
