"""Waiting for a part of the stack, never in silence, and not for one that can't start."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.replica_logs import last_lines
from gp_pipelines.targets.local.supervisor import Supervisor

LOOK_SECONDS = 0.1
REPORT_SECONDS = 2.0
LINES = 5


def wait_for(
    what: str,
    problem: Callable[[], str],
    seconds: float,
    progress: Callable[[str], None],
    *,
    advice: str,
) -> None:
    """Return once `problem` gives nothing; say every 2 s what it gives.

    Raises `TargetUnavailable` with that after `seconds`.
    """
    started = reported = time.monotonic()
    while why := problem():
        now = time.monotonic()
        if now - started >= seconds:
            raise TargetUnavailable(
                f"{what} is not ready after {seconds:.0f} s: {why}",
                state="What else was started goes on.",
                advice=advice,
            )
        if now - reported >= REPORT_SECONDS:
            progress(f"{what}: {why} ({now - started:.0f} s)")
            reported = now
        time.sleep(LOOK_SECONDS)


class Watched:
    """A supervised program that is waited for."""

    def __init__(
        self,
        supervisor: Supervisor,
        name: str,
        log: Path,
        *,
        tries: int,
        secrets: Sequence[str] = (),
    ) -> None:
        """`tries` is how often it may end before it is given up: the reason may pass."""
        self._supervisor = supervisor
        self._name = name
        self._log = log
        self._tries = tries
        self._secrets = secrets
        self._restarts = self._restarted()

    def detail(self) -> str:
        """How it is, for people. Raises `TargetUnavailable` if it has ended too often."""
        ended = self._restarted() - self._restarts
        if ended >= self._tries:
            lines = last_lines(self._log, LINES, self._secrets)
            raise TargetUnavailable(
                f"{self._name} does not start: it ended at once. Its log says:\n{lines}",
                state="What else was started goes on, and it is tried again and again.",
                advice=f"Its whole log is {self._log}. Remove the cause; then run `gp up` again.",
            )
        state = self._supervisor.state(self._name)
        return state.detail if state else "not started"

    def _restarted(self) -> int:
        state = self._supervisor.state(self._name)
        return state.restarts if state else 0
