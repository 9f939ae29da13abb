"""A service of the local target, as the contract suite wants it."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from gp_pipelines.model import Artifact, Color
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Launch, Target
from gp_pipelines.targets.local.envoy_routing import TRAFFIC_METADATA, cluster_name
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines.targets.local.target import LocalTarget
from gp_pipelines_tests.contract.subject import Behaviour

TOKEN = "s3cr3t-of-the-tests"


class LocalSubject:
    """Implements `contract.subject.Subject`."""

    def __init__(self, home: Home, definition: Service, artifact: Path) -> None:
        self.home = home
        self.definition = definition
        self.paths = home.service(definition.name)
        self.target = LocalTarget(home, definition)
        self._artifact = artifact

    @property
    def service(self) -> str:
        return self.definition.name

    @property
    def open(self) -> Callable[[], Target]:
        return partial(LocalTarget, self.home, self.definition)

    def launch(self, version: str, behaviour: Behaviour = Behaviour.GOOD) -> Launch:
        artifact = Artifact(
            self.service, version, "sha256:" + "ab" * 32, str(self._artifact), 1, built=True
        )
        return Launch(
            artifact=artifact,
            command=self.definition.command,
            environment={"BEHAVIOUR": behaviour.value},
            secrets={"TOKEN": TOKEN},
        )

    def kill_replica(self, slot_name: str, n: int) -> None:
        state = Supervisor(self.home).state(f"{slot_name}.{n}")
        assert state is not None
        assert state.pid is not None
        os.kill(state.pid, signal.SIGKILL)

    def nothing_left_of(self, slot_name: str) -> bool:
        programs = [name for name in Supervisor(self.home).states() if slot_name in name]
        ports = self.home.ports.read_text()
        return not programs and slot_name not in ports and not self._processes(slot_name)

    def _processes(self, slot_name: str) -> list[psutil.Process]:
        directory = str(self.paths.slots / slot_name)
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.cwd() == directory or any(directory in s for s in process.cmdline()):
                    found.append(process)
        return found

    def send_traffic_by_hand(self, color: Color) -> None:
        def edit(document: Any) -> None:
            hosts = document["resources"][0]["virtual_hosts"]
            hosts[0]["routes"] = [
                {
                    "match": {"prefix": "/"},
                    "route": {"cluster": cluster_name(self.service, color)},
                }
            ]

        self.edit(self.paths.routes, edit)

    def edit_record_by_hand(self) -> None:
        def edit(document: Any) -> None:
            metadata = document["resources"][0]["metadata"]["filter_metadata"]
            metadata[TRAFFIC_METADATA]["record"]["fence"] += 1

        self.edit(self.paths.routes, edit)

    def delete_object(self) -> None:
        self.paths.routes.unlink()

    def spoil_object(self) -> None:
        self.paths.routes.write_text("")

    def edit_color_by_hand(self, color: Color) -> None:
        def edit(document: Any) -> None:
            document["resources"][0]["endpoints"] = []

        self.edit(self.paths.color(color), edit)

    def edit(self, path: Path, change: Callable[[Any], None]) -> None:
        """As an editor does: the new text is moved onto the old, which Envoy sees."""
        document = json.loads(path.read_text())
        change(document)
        beside = path.with_suffix(".edited")
        beside.write_text(json.dumps(document))
        beside.replace(path)
