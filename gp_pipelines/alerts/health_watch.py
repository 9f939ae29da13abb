"""The health check of the live version, asked through the entrance as users reach it."""

import threading
from collections.abc import Callable
from datetime import datetime

from gp_pipelines.alerts.finding import Finding
from gp_pipelines.services import Probe
from gp_pipelines.targets.contract import Answer, Entrance, RequestCounts

EVERY_SECONDS = 1.0

Background = Callable[[Callable[[], None]], None]


class HealthWatch:
    """Of one version. Asks in the background: a version that hangs must not hold its reader up."""

    def __init__(
        self, entrance: Entrance, path: str, release_id: str, probe: Probe, background: Background
    ) -> None:
        self._entrance = entrance
        self._path = path
        self._release_id = release_id
        self._failures_wanted = probe.health_failures
        self._background = background
        self._next = 0.0
        self._failures = 0  # in a row
        self._onset: datetime | None = None
        self._last = ""
        self.asking = False
        # Its own requests are in the entrance's counts as well. Complete while it is not `asking`.
        self.asked = RequestCounts(0, 0)

    def ask_when_due(self, seconds: float, at: datetime) -> None:
        """`seconds` is monotonic, `at` the same moment by the target's clock."""
        if not self.asking and seconds >= self._next:
            self._next = seconds + EVERY_SECONDS
            self.asking = True
            self._background(lambda: self._ask(at))

    def finding(self) -> Finding | None:
        onset = self._onset
        if self._failures < self._failures_wanted or onset is None:
            return None
        return Finding(
            what=f"GET {self._path} failed {self._failures} times in a row: {self._last}",
            onset=onset,
            facts={"failures": f"{self._failures}", "last_answer": self._last},
        )

    def _ask(self, at: datetime) -> None:
        try:
            (answer,) = self._entrance.ask(self._path, fresh=1, kept_alive=0)
            # Another version answers where traffic was moved just now: that says nothing here.
            if answer.release_id in (None, self._release_id):
                self._take(answer, at)
        finally:
            self.asking = False

    def _take(self, answer: Answer, at: datetime) -> None:
        if answer.ok:
            self._failures, self._onset = 0, None
        else:
            self._last = answer.detail
            self._onset = self._onset or at
            self._failures += 1
        if answer.status:
            failed = self.asked.failed + (answer.status >= 500)
            self.asked = RequestCounts(self.asked.total + 1, failed)


def in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="health watch", daemon=True).start()
