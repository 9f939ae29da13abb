"""The programs of one home, kept running by supervisord.

What `put` was given is started again whenever it ends, for ever. Killing supervisord (-9) ends
none of its programs: they serve on, and the next `start_daemon` takes them over, one by one and
without ending them (`program_start` tells how).

Any number of threads and processes may call at once. A lock of the home keeps what they change
apart; it is never held while a program takes its time to end.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.files import write_if_changed
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.processes import POLL_SECONDS
from gp_pipelines.targets.local.program import Program, ProgramState
from gp_pipelines.targets.local.program_run import Run
from gp_pipelines.targets.local.program_states import how_programs_ended, state_of
from gp_pipelines.targets.local.supervisor_rpc import (
    ALREADY_ADDED,
    ALREADY_STARTED,
    BAD_NAME,
    FAILED,
    NOT_RUNNING,
    STILL_RUNNING,
)
from gp_pipelines.targets.local.supervisord import Supervisord

LOCK_SECONDS = 60.0
REMOVE_ATTEMPTS = 5
STOP_MARGIN_SECONDS = 10.0  # beyond a program's own time to end
IDLE_STATES = {"STOPPED", "EXITED", "FATAL"}


class Supervisor:
    """Starts, watches and ends the programs of `home`."""

    def __init__(self, home: Home) -> None:
        self._directory = home.supervisor
        self._daemon = Supervisord(self._directory)

    def is_up(self) -> bool:
        return self._daemon.rpc.answers()

    def start_daemon(self) -> None:
        """Start supervisord, and with it every program that was put and not removed.

        Does nothing if it is up. Raises `TargetUnavailable` if it cannot be started.
        """
        with self._lock():
            if self.is_up():
                return
            programs = self._programs()
            for name, run in self._runs().items():
                if name not in programs:
                    run.end()  # it was being removed when the daemon died
                    self._forget_run(name)
            self._daemon.configure(programs.values())
            self._daemon.start()

    def stop_daemon(self) -> None:
        """End all programs, each in its own time, and supervisord.

        What was put starts again with the next `start_daemon`. Works on a dead supervisord's
        programs as well.
        """
        self.stop(*self._programs())
        with self._lock():
            self._daemon.stop()
            for run in self._runs().values():
                run.process.kill()  # started in between, and left by a daemon that was killed

    def put(self, program: Program) -> None:
        """Have `program` running: start it, replace it if it is different, or leave it as it is.

        Returns when it has been started, not when it is ready. Raises `TargetUnavailable` if
        supervisord is down.
        """
        content = program.to_json()
        if self._is_running_with(program.name, content):
            return
        self.stop(program.name)
        with self._lock():
            if self._is_running_with(program.name, content):
                return  # another caller was faster
            self._forget_run(program.name)
            write_if_changed(self._daemon.definition(program.name), content, 0o600)
            self._load(program.name)

    def stop(self, *names: str) -> None:
        """End these programs at the same time, until they are put again or the daemon starts."""
        runs = self._runs()
        up = self.is_up()
        for name in names if up else ():
            ignored = (BAD_NAME, NOT_RUNNING, FAILED)
            self._daemon.rpc.call("stopProcess", name, False, ignore=ignored)
        for name in names:
            run = runs.get(name)
            if up:
                self._wait_until_idle(name, (run.stop_wait if run else 0.0) + STOP_MARGIN_SECONDS)
            elif run:
                run.end()
        for name in names:
            left = Run.read(self._daemon.run(name))
            if left is not None:
                # Taken over, and the signal was lost: what was to pass it on had not begun yet.
                left.end()

    def remove(self, *names: str) -> None:
        """End these programs at the same time, and forget them. Unknown ones are no error."""
        with self._lock():
            for name in names:
                self._daemon.definition(name).unlink(
                    missing_ok=True
                )  # nobody starts it again from now on
            self._daemon.configure(self._programs().values())
        for _ in range(REMOVE_ATTEMPTS):
            self.stop(*names)
            if self._forget(names):
                return
        raise TargetUnavailable(
            f"{', '.join(names)} are started again whenever they are stopped.",
            state="They are not removed.",
            advice=f"See {self._daemon.log}.",
        )

    def state(self, name: str) -> ProgramState | None:
        """None for a program that was never put, or has been removed."""
        return self.states().get(name)

    def states(self) -> dict[str, ProgramState]:
        """All programs, by name; also when supervisord is down, from what is known without it."""
        infos = {}
        if self.is_up():
            infos = {info["name"]: info for info in self._daemon.rpc.call("getAllProcessInfo")}
        runs = self._runs()
        ended = how_programs_ended(self._daemon.log)
        return {
            name: state_of(program, infos.get(name), runs.get(name), ended.get(name, ""))
            for name, program in self._programs().items()
        }

    def _is_running_with(self, name: str, content: str) -> bool:
        try:
            if self._daemon.definition(name).read_text() != content:
                return False
        except FileNotFoundError:
            return False
        info = self._daemon.rpc.call("getProcessInfo", name, ignore=(BAD_NAME,))
        return info is not None and info["statename"] not in IDLE_STATES | {"STOPPING"}

    def _load(self, name: str) -> None:
        """Start a program whose definition is new."""
        self._daemon.configure(self._programs().values())
        call = self._daemon.rpc.call
        call("reloadConfig")
        call("removeProcessGroup", name, ignore=(BAD_NAME, STILL_RUNNING))
        call("addProcessGroup", name, ignore=(ALREADY_ADDED,))
        call("startProcess", name, False, ignore=(ALREADY_STARTED,))

    def _forget(self, names: tuple[str, ...]) -> bool:
        """False if one that had died by itself was started again since it was stopped."""
        call = self._daemon.rpc.call
        with self._lock():
            if self.is_up():
                call("reloadConfig")
                for name in names:
                    call("removeProcessGroup", name, ignore=(BAD_NAME, STILL_RUNNING))
                if any(call("getProcessInfo", name, ignore=(BAD_NAME,)) for name in names):
                    return False
            for name in names:
                self._forget_run(name)
        return True

    def _wait_until_idle(self, name: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            info = self._daemon.rpc.call("getProcessInfo", name, ignore=(BAD_NAME,))
            if info is None or info["statename"] in IDLE_STATES:
                return
            if time.monotonic() >= deadline:
                raise TargetUnavailable(
                    f"{name} (process {info['pid']}) does not end.",
                    state=f"supervisord has it as {info['statename']}.",
                    advice=f"See {self._daemon.log}.",
                )
            time.sleep(POLL_SECONDS)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._directory / "lock", timeout=LOCK_SECONDS):
                yield
        except Timeout:
            raise TargetUnavailable(
                f"Another process has been changing the programs for {LOCK_SECONDS:.0f} s: it "
                f"holds {self._directory / 'lock'}.",
                state="Nothing was changed.",
                advice="Try again when it has ended.",
            ) from None

    def _programs(self) -> dict[str, Program]:
        files = self._daemon.definition("*").parent.glob("*.json")
        found = (Program.read(path) for path in files)
        return {program.name: program for program in found if program}

    def _runs(self) -> dict[str, Run]:
        """The last start of each program."""
        files = self._daemon.run("*").parent.glob("*.json")
        found = {path.stem: Run.read(path) for path in files}
        return {name: run for name, run in found.items() if run}

    def _forget_run(self, name: str) -> None:
        self._daemon.run(name).unlink(missing_ok=True)
        self._daemon.run(name).with_suffix(".lock").unlink(missing_ok=True)
