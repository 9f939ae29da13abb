"""What Dagster's webserver and daemon start by themselves: code servers, and in them the runs.

These end by themselves when their parents have ended, but later, and a run that hangs never does.
"""

import signal
import time
from contextlib import suppress

import psutil

from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.processes import ProcessId

WAIT_SECONDS = 1.0
END_SECONDS = 10.0  # for a run: to undo what it has begun
LOOK_SECONDS = 0.1

# Set for webserver and daemon alone. A person's own shell may well have DAGSTER_HOME.
MARK = "GP_DAGSTER_CONFIGURATION"


def end_processes(home: Home) -> None:
    """Wait a moment for their end, then ask for it, then kill them."""
    if _end_within(WAIT_SECONDS, home):
        return
    for process in _processes(home):
        process.send(signal.SIGTERM)
    if not _end_within(END_SECONDS, home):
        for process in _processes(home):
            process.kill()


def _end_within(seconds: float, home: Home) -> bool:
    deadline = time.monotonic() + seconds
    while _processes(home):
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _processes(home: Home) -> list[ProcessId]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            if MARK in environment and environment.get("DAGSTER_HOME") == str(home.dagster):
                found.append(ProcessId.of(process.pid))
    return [process for process in found if process]
