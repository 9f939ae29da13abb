"""The slots of one service: supervised processes, and a directory that says what they are.

slot.json is the first thing of a slot and the last: as long as it has a process or a port it is
listed, and whoever comes next can go on with it or remove it.
"""

import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gp_pipelines.errors import Refused
from gp_pipelines.model import Progress, Slot
from gp_pipelines.targets.contract import Launch, Replica, SlotStatus
from gp_pipelines.targets.local.file_errors import readable, writable
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.names import require_plain_name
from gp_pipelines.targets.local.ports import require_free
from gp_pipelines.targets.local.processes import ProcessId
from gp_pipelines.targets.local.program import Program, ProgramState
from gp_pipelines.targets.local.readiness import health_problems
from gp_pipelines.targets.local.replica import environment_of, executable_of
from gp_pipelines.targets.local.replica_logs import last_lines, log_path
from gp_pipelines.targets.local.replica_ports import forget_replica_ports, replica_ports
from gp_pipelines.targets.local.slot_file import StandingSlot
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines.targets.local.supervisord import Supervisord

TELL_SECONDS = 2.0


class LocalSlots:
    """Implements `contract.Slots` for one service of one home."""

    def __init__(self, home: Home, service: str) -> None:
        self._home = home
        self._service = service
        self._root = home.service(service).slots
        self._supervisor = Supervisor(home)

    def list(self) -> tuple[SlotStatus, ...]:
        with readable(self._root):
            names = sorted(path.name for path in self._root.glob("*"))
        found = (StandingSlot.read(self._root / name) for name in names)
        return self._statuses([standing for standing in found if standing])

    def get(self, name: str) -> SlotStatus | None:
        standing = StandingSlot.read(self._directory(name))
        return self._statuses([standing])[0] if standing else None

    def start(self, slot: Slot, launch: Launch) -> None:
        """Raises `Refused` if another slot has that name, `TargetUnavailable` for a taken port."""
        directory = self._directory(slot.name)
        before = StandingSlot.read(directory)
        if before is not None and before.slot != slot:
            raise Refused(
                f"{slot.name} stands already: {before.slot.describe()}, {before.slot.digest}.",
                state="It was left as it is.",
                advice="Start a new release.",
            )
        executable = executable_of(launch)
        with writable(directory):
            if before is None:
                StandingSlot.of(slot, (), launch).write(directory)
            ports = replica_ports(self._home, slot)
            StandingSlot.of(slot, ports, launch).write(directory)
            states = self._supervisor.states()
            for n, port in enumerate(ports, start=1):
                name = _replica_name(slot.name, n)
                if not _runs(states.get(name)):
                    require_free(port, name)
                self._supervisor.put(
                    Program(
                        name=name,
                        command=(str(executable), *launch.command[1:]),
                        directory=directory,
                        log=log_path(directory, n),
                        environment=environment_of(slot, port, launch),
                        stop_wait=launch.drain_seconds,
                    )
                )

    def remove(self, name: str, drain_seconds: float, progress: Progress) -> None:
        """What still runs after `drain_seconds` is killed; also after those that it was started
        with, if they are fewer. A slot that is gone already is no error.
        """
        directory = self._directory(name)
        if not directory.exists():
            return
        programs = self._programs(name)
        # Also those that the supervisor has forgotten already: a removal that was killed right
        # then has not ended them.
        standing = StandingSlot.read(directory)
        own = {_replica_name(name, n) for n in standing.replicas} if standing else set()
        with _killed_after(drain_seconds, list(programs.values()), progress):
            self._supervisor.remove(*sorted(own | programs.keys()))
        with writable(directory):
            forget_replica_ports(self._home, name)
            for path in directory.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != "slot.json":
                    path.unlink()
            (directory / "slot.json").unlink(missing_ok=True)
            directory.rmdir()

    def logs(self, name: str, lines: int = 200) -> Mapping[str, str]:
        standing = StandingSlot.read(self._directory(name))
        if standing is None:
            return {}
        return {_replica_name(name, n): self._log(standing, n, lines) for n in standing.replicas}

    def _statuses(self, slots: Sequence[StandingSlot]) -> tuple[SlotStatus, ...]:
        states = self._supervisor.states()
        checks = {port: each.health_path for each in slots for port in each.ports}
        problems = health_problems(checks)
        return tuple(
            SlotStatus(
                each.slot, tuple(self._replica(each, n, states, problems) for n in each.replicas)
            )
            for each in slots
        )

    def _replica(
        self,
        standing: StandingSlot,
        n: int,
        states: Mapping[str, ProgramState],
        problems: Mapping[int, str],
    ) -> Replica:
        name = _replica_name(standing.slot.name, n)
        state = states.get(name)
        problem = problems[standing.ports[n - 1]] if standing.ports else "it has no port yet"
        # Who answers on the port may be somebody else, while the replica itself is dead.
        ready = _runs(state) and not problem
        detail = [state.detail if state else "not running: its start or its removal was cut short"]
        if not ready:
            detail += [problem, f"last log line: {self._log(standing, n, 1) or '(none)'}"]
        return Replica(
            name=name,
            ready=ready,
            restarts=state.restarts if state else 0,
            detail="; ".join(part for part in detail if part),
        )

    def _log(self, standing: StandingSlot, n: int, lines: int) -> str:
        slot = standing.slot
        definition = Supervisord(self._home.supervisor).definition(_replica_name(slot.name, n))
        program = Program.read(definition)
        values = program.environment if program else {}
        secrets = [values.get(name, "") for name in standing.secrets]
        return last_lines(log_path(self._directory(slot.name), n), lines, secrets)

    def _programs(self, name: str) -> dict[str, ProgramState]:
        states = self._supervisor.states()
        return {each: states[each] for each in states if each.startswith(f"{name}.")}

    def _directory(self, name: str) -> Path:
        return self._root / require_plain_name(name)


@contextmanager
def _killed_after(
    seconds: float, states: Sequence[ProgramState], progress: Progress
) -> Iterator[None]:
    """Kill what still runs when `seconds` are over and the body has not ended."""
    running = [ProcessId.of(state.pid) for state in states if state.pid is not None]
    ended = threading.Event()

    def watch() -> None:
        began = time.monotonic()
        while not ended.wait(min(TELL_SECONDS, max(0.0, began + seconds - time.monotonic()))):
            alive = [process for process in running if process and process.is_alive()]
            waited = time.monotonic() - began
            if waited >= seconds:
                for process in alive:
                    process.kill()
                return
            done = len(running) - len(alive)
            progress(f"{done}/{len(running)} replicas have drained after {waited:.0f} s")

    watcher = threading.Thread(target=watch, name="gp-drain", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _runs(state: ProgramState | None) -> bool:
    return state is not None and state.running


def _replica_name(slot_name: str, n: int) -> str:
    return f"{slot_name}.{n}"
