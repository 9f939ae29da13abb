"""A small project for `gp up`: services.yaml, and a Dagster project of one job."""

import os
import signal
from pathlib import Path
from typing import Any

import yaml

from gp_pipelines.services import Services, load_services
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.stack import Addresses, Stack
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.targets.local.live_stack import package_stand_in
from gp_pipelines_tests.targets.local.local_subject import LocalSubject

DEFINITIONS = """
import dagster as dg

@dg.op
def nothing() -> None: ...

@dg.job
def small() -> None:
    nothing()

defs = dg.Definitions(jobs=[small])
"""

WORKSPACE = {"load_from": [{"python_file": {"relative_path": "definitions.py"}}]}
DAGSTER_YAML = Path(__file__).parents[3] / "dagster.yaml"


class Project:
    """A directory with a project, and its home."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = Home(directory / "var")
        self.said: list[str] = []
        directory.mkdir(exist_ok=True)
        self.write("definitions.py", DEFINITIONS)
        self.write("workspace.yaml", yaml.safe_dump(WORKSPACE))
        self.write("dagster.yaml", DAGSTER_YAML.read_text())
        self.have("api")

    def write(self, name: str, content: str) -> None:
        (self.directory / name).write_text(content)

    def have(self, *names: str, **fields: Any) -> None:
        """services.yaml has these services from now on, each with `fields`."""
        service = {
            "artifact": {"kind": "wheel", "source": "."},
            "command": ["stand-in"],
            "identity": {"path": "/health"},
            "smoke": {"checks": [{"path": "/health"}]},
            **fields,
        }
        services = {"services": dict.fromkeys(names, service)}
        self.write("services.yaml", yaml.dump(services, Dumper=yaml.SafeDumper))

    @property
    def services(self) -> Services:
        return load_services(self.directory / "services.yaml")

    @property
    def stack(self) -> Stack:
        """As another `gp` command opens it."""
        return Stack(self.home, self.services, self.directory)

    def up(self) -> Addresses:
        """`gp up --no-dagster`."""
        return self.stack.up(dagster=False, progress=self.say)

    def down(self, *, purge: bool = False) -> None:
        self.stack.down(purge=purge, progress=self.say)

    def subject(self, service: str = "api") -> LocalSubject:
        """The service, whose artifact is the stand-in."""
        artifact = self.directory / "artifact"
        package_stand_in(artifact)
        return LocalSubject(self.home, self.services[service], artifact)

    def pids(self) -> dict[str, int]:
        """Of the programs that run."""
        states = Supervisor(self.home).states()
        return {name: state.pid for name, state in states.items() if state.pid is not None}

    def kill_supervisord(self) -> None:
        os.kill(int((self.home.supervisor / "supervisord.pid").read_text()), signal.SIGKILL)
        wait_until(lambda: not Supervisor(self.home).is_up())

    def say(self, line: str) -> None:
        self.said.append(line)


def database(url: Any = "embedded") -> dict[str, Any]:
    return {"url": url, "migrations": {"command": ["migrate"], "directory": "migrations"}}
