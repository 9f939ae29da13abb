"""Dagster's webserver and daemon as supervised programs of one home."""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gp_pipelines.errors import ConfigInvalid
from gp_pipelines.services import SecretSource, Services
from gp_pipelines.targets.local.files import write_if_changed
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.program import Program
from gp_pipelines.targets.local.stack_ports import dagster_port
from gp_pipelines.targets.local.supervisord import Supervisord

WEBSERVER = "dagster-webserver"
DAEMON = "dagster-daemon"
STOP_SECONDS = 30.0  # they end the processes that hold the code, and those the runs that go on

# Not the caller's: Dagster, and any run in it, would be restarted by `gp up` from another shell.
SYSTEM_PATH = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin")


def prepare_dagster(home: Home, project: Path) -> None:
    """Dagster's home, with the project's dagster.yaml. Raises `ConfigInvalid`."""
    for name in ("dagster.yaml", "workspace.yaml"):
        if not (project / name).is_file():
            raise ConfigInvalid(
                f"{project / name} does not exist.",
                state="Dagster was not started.",
                advice="Run `gp` in the project's directory, or `gp up --no-dagster`.",
            )
    write_if_changed(home.dagster / "dagster.yaml", (project / "dagster.yaml").read_text())


def dagster_programs(home: Home, services: Services, project: Path) -> tuple[Program, Program]:
    """The webserver and the daemon. What services.yaml takes from variables is passed on."""
    environment = {
        **known_secrets(home, services),
        "DAGSTER_HOME": str(home.dagster),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "GP_HOME": str(home.root),
        "GP_SERVICES": str(services.path),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), *SYSTEM_PATH)),
        "PYTHONWARNINGS": "ignore",
        # Both read these files once, so a change of one must start them again.
        "GP_DAGSTER_CONFIGURATION": _digest(project / "dagster.yaml", project / "workspace.yaml"),
    }
    address = ("-h", "127.0.0.1", "-p", str(dagster_port(home)))
    workspace = ("-w", str(project / "workspace.yaml"))

    def program(name: str, *arguments: str) -> Program:
        return Program(
            name=name,
            command=(sys.executable, "-m", *arguments, *workspace),
            directory=project,
            log=log_path(home, name),
            environment=environment,
            stop_wait=STOP_SECONDS,
        )

    return (
        program(WEBSERVER, "dagster_webserver", *address),
        program(DAEMON, "dagster._daemon", "run"),
    )


def log_path(home: Home, name: str) -> Path:
    return home.dagster / "logs" / f"{name}.log"


def variables(services: Services) -> tuple[str, ...]:
    """The environment variables that hold the services' secrets and databases' URLs."""
    names: set[str] = set()
    for service in (services[name] for name in services.names):
        names.update(source.env for source in service.secrets.values())
        if service.database and isinstance(service.database.url, SecretSource):
            names.add(service.database.url.env)
    return tuple(sorted(names))


def missing_variables(home: Home, services: Services) -> tuple[str, ...]:
    """Those that neither the caller nor a Dagster that was started before has."""
    known = known_secrets(home, services)
    return tuple(name for name in variables(services) if name not in known)


def known_secrets(home: Home, services: Services) -> Mapping[str, str]:
    """The caller's; a variable that it does not have stays what it was at the last start."""
    before = Program.read(Supervisord(home.supervisor).definition(WEBSERVER))
    kept = before.environment if before else {}
    return {
        name: value
        for name in variables(services)
        if (value := os.environ.get(name, kept.get(name))) is not None
    }


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
