"""Which process it is that was started once: its id alone may have been given to another since."""

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05
KILL_SECONDS = 10.0  # for the kernel to take a killed process away


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process for good: its number, and when it was started."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The process that has this number now, None if there is none (or only a zombie)."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    @classmethod
    def own(cls) -> "ProcessId":
        own = cls.of(os.getpid())
        assert own is not None
        return own

    def is_alive(self) -> bool:
        return ProcessId.of(self.pid) == self

    def send(self, number: int) -> None:
        """Send a signal, if the process is still there."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether the process has ended within `seconds`. It need not be a child."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def end(self, grace: float, number: int = signal.SIGTERM) -> None:
        """Ask the process to end; after `grace` seconds kill it, with its process group."""
        self.send(number)
        if not self.wait(grace):
            self.kill()

    def kill(self) -> None:
        """Kill the process and, where it leads one, its process group."""
        if self.is_alive():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self.send(signal.SIGKILL)
        self.wait(KILL_SECONDS)


def _started(pid: int) -> str | None:
    """When a process was started, in a form that a change of the clock does not change."""
    if sys.platform == "linux":
        return _started_by_proc(pid)
    import psutil  # only here: what starts programs imports this file, and starts often

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None


def _started_by_proc(pid: int) -> str | None:
    """Clock ticks from boot to start (field 22 of proc_pid_stat(5)), and which boot that was."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{boot}:{fields[18]}"
