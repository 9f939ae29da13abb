"""The lock of one service's files: one process at a time compares and replaces one of them.

It is held for a few milliseconds, never while anything else is done. The kernel lets go of it when
its owner ends, however that ends; so whoever holds it for seconds is stopped or hangs. The file
says who that is: process id and start time, since the id alone may be another's by now.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.processes import ProcessId

LOOK_SECONDS = 0.005


@contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock `path`, also against other threads of this process.

    Raises `TargetUnavailable`, naming the holder, after `timeout` seconds. The file is never
    removed, nor emptied by who waits for it: a lock on a removed file would exclude nobody, and
    the holder must stay known.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _taken_within(descriptor, timeout):
            raise _held_by_another(path, timeout)
        _say_who(descriptor)
        yield
    finally:
        os.close(descriptor)


def end_stuck_holder(path: Path, patience: float) -> str | None:
    """Kill the process that holds the lock for longer than `patience`; returns who that was."""
    try:
        with locked(path, patience):
            return None
    except TargetUnavailable:
        process = holder(path)
        if process is None or process == ProcessId.own():
            return None
        process.send(signal.SIGKILL)
        process.wait(patience)
        return f"process {process.pid}, which held {path}"


def holder(path: Path) -> ProcessId | None:
    """The process that took the lock last, None if it has ended."""
    with suppress(OSError, ValueError, TypeError):
        process = ProcessId(**json.loads(path.read_text()))
        return process if process.is_alive() else None
    return None


def _taken_within(descriptor: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_SECONDS)
        else:
            return True


def _say_who(descriptor: int) -> None:
    content = json.dumps(asdict(ProcessId.own())).encode()
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))


def _held_by_another(path: Path, timeout: float) -> TargetUnavailable:
    process = holder(path)
    who = f"process {process.pid}" if process else "another process"
    return TargetUnavailable(
        f"{path} has been held by {who} for {timeout:g} s, which takes milliseconds otherwise.",
        state="Nothing was changed, and traffic goes on where it went.",
        advice="That process is stopped or hangs: end it, and try again.",
    )
