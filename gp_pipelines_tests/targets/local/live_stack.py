"""A supervisor and an Envoy of the tests' own, to which services come and from which they go."""

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from gp_pipelines.model import Color
from gp_pipelines.services import Service, Services
from gp_pipelines.targets.local.envoy import envoy_program, write_envoy_files
from gp_pipelines.targets.local.envoy_admin import EnvoyAdmin
from gp_pipelines.targets.local.files import write_atomically
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.targets.local import stand_in
from gp_pipelines_tests.targets.local.local_subject import LocalSubject

COMMAND = "stand-in"


class LiveStack:
    """Use as a context manager: it ends every process that was started in its home."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root / "var")
        self.artifact = root / "artifact"
        self.supervisor = Supervisor(self.home)
        self.envoy = EnvoyAdmin(self.home)
        self._services: dict[str, Service] = {}
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        package_stand_in(self.artifact)
        self.supervisor.start_daemon()
        self.tell_envoy()
        self.start_envoy()
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop_daemon()

    def start_envoy(self) -> None:
        self.supervisor.put(envoy_program(self.home))
        wait_until(self.envoy.ready)

    def stop_envoy(self) -> None:
        self.supervisor.stop("envoy")

    def tell_envoy(self) -> None:
        """What `gp up` does when services.yaml has changed."""
        write_envoy_files(self.home, Services(self.home.root / "services.yaml", self._services))

    @contextmanager
    def new_service(self) -> Iterator[LocalSubject]:
        """One that never had a release, until the body ends."""
        name = f"service-{next(self._numbers)}"
        self._services[name] = definition(name)
        subject = LocalSubject(self.home, self._services[name], self.artifact)
        self.tell_envoy()
        wait_until(lambda: self._listens_for(name))
        try:
            yield subject
        finally:
            for directory in self.home.service(name).slots.glob("*"):
                subject.target.slots.remove(directory.name, 0, print)
            del self._services[name]
            self.tell_envoy()

    def _listens_for(self, name: str) -> bool:
        if self.envoy.refused_listeners():
            # A preview's listener came before its cluster was known; it is not tried again.
            listeners = self.home.envoy / "listeners.json"
            write_atomically(listeners, listeners.read_text())
        return {name, *(f"{name}.{color}" for color in Color)} <= self.envoy.listening().keys()


def definition(name: str) -> Service:
    return Service.model_validate(
        {
            "name": name,
            "artifact": {"kind": "wheel", "source": "."},
            "command": [COMMAND],
            "identity": {"path": "/health"},
            "smoke": {"checks": [{"path": "/health"}]},
        }
    )


def package_stand_in(artifact: Path) -> None:
    """As an artifact lies on the disk: an environment with the service's commands."""
    script = artifact / "env" / "bin" / COMMAND
    script.parent.mkdir(parents=True)
    source = Path(stand_in.__file__).read_text()
    script.write_text(f"#!{sys.executable} -IS\n{source}")
    script.chmod(0o755)
