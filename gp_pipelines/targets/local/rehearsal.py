"""One more replica of a version, apart from every slot: tried, and gone.

Nothing supervises it, as it is not to serve. Its directory is named by the process that it is for,
so whoever comes next can tell that a killed one left it, and end it:

    rehearsals/<owner>/   process.json (which process it is), log
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from gp_pipelines.errors import StepFailed
from gp_pipelines.model import Progress, Slot
from gp_pipelines.targets.contract import Launch
from gp_pipelines.targets.local.file_errors import writable
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.owners import has_living_owner, name_for
from gp_pipelines.targets.local.ports import Ports
from gp_pipelines.targets.local.processes import ProcessId
from gp_pipelines.targets.local.readiness import health_problems
from gp_pipelines.targets.local.replica import environment_of, executable_of
from gp_pipelines.targets.local.replica_logs import last_lines
from gp_pipelines.targets.local.supervisord import INHERITED

LOOK_SECONDS = 0.1
TELL_SECONDS = 2.0
END_SECONDS = 5.0
LINES = 20  # of its log


@contextmanager
def rehearsal(
    home: Home, slot: Slot, launch: Launch, timeout: float, progress: Progress
) -> Iterator[str]:
    """As `contract.Target.rehearse`."""
    root = home.service(launch.artifact.service).rehearsals
    end_abandoned(home, root)
    name = name_for(ProcessId.own())
    directory = root / name
    executable = executable_of(launch)
    with writable(directory):
        directory.mkdir(parents=True)
    try:
        port = Ports(home).get(_port_name(name))
        process = _start(directory, [str(executable), *launch.command[1:]], slot, port, launch)
        try:
            _wait_until_healthy(process, port, slot, launch, directory, timeout, progress)
            yield f"http://127.0.0.1:{port}"
        finally:
            _end(directory)
            process.wait(END_SECONDS)
    finally:
        _remove(home, directory)


def end_abandoned(home: Home, root: Path) -> None:
    """What was left in `root` by processes that were killed."""
    for directory in root.glob("*"):
        if not has_living_owner(directory.name):
            _end(directory)
            _remove(home, directory)


def _start(
    directory: Path, command: list[str], slot: Slot, port: int, launch: Launch
) -> "subprocess.Popen[bytes]":
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**inherited, **environment_of(slot, port, launch)},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = ProcessId.of(process.pid)
    if started is not None:  # else it has ended already
        (directory / "process.json").write_text(json.dumps(asdict(started)))
    return process


def _wait_until_healthy(
    process: "subprocess.Popen[bytes]",
    port: int,
    slot: Slot,
    launch: Launch,
    directory: Path,
    timeout: float,
    progress: Progress,
) -> None:
    began = told = time.monotonic()
    while problem := health_problems({port: launch.health_path})[port]:
        now = time.monotonic()
        code = process.poll()
        if code is not None or now - began > timeout:
            ended = f"it ended with exit code {code}" if code is not None else problem
            said = last_lines(directory / "log", LINES, tuple(launch.secrets.values()))
            raise StepFailed(
                f"One more replica of {slot.describe()} did not come up: {ended}. "
                f"Its last lines:\n{said or '(none)'}",
                state="It was ended; what is live was not touched.",
            )
        if now - told > TELL_SECONDS:
            told = now
            progress(f"waiting for one more replica of {slot.version}: {problem}")
        time.sleep(LOOK_SECONDS)


def _end(directory: Path) -> None:
    with suppress(FileNotFoundError, ValueError, TypeError):
        process = ProcessId(**json.loads((directory / "process.json").read_text()))
        process.end(END_SECONDS)


def _remove(home: Home, directory: Path) -> None:
    Ports(home).forget(_port_name(directory.name))
    shutil.rmtree(directory, ignore_errors=True)


def _port_name(name: str) -> str:
    return f"rehearsal/{name}"
