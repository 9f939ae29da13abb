"""Handing accepted alerts on, after their sender has been answered."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.errors import quoted

THREADS = 4
MOST_WAITING = 1000

Accepted = Callable[[tuple[Alert, ...]], None]

log = logging.getLogger(__name__)


class Handover:
    """`accepted` gets what was accepted, each time in a thread, several at a time.

    It is for being fast only. What gets lost here is found in the inbox by the sensor: if
    `accepted` raises or hangs, and when this process ends.
    """

    def __init__(self, accepted: Accepted) -> None:
        self._accepted = accepted
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="accepted")
        self._waiting: set[Future[None]] = set()

    def hand_on(self, alerts: tuple[Alert, ...]) -> None:
        """Neither waits nor raises."""
        if len(self._waiting) >= MOST_WAITING:
            log.warning("%d alerts are left to the sensor: too much is under way", len(alerts))
            return
        future = self._pool.submit(self._call, alerts)
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _call(self, alerts: tuple[Alert, ...]) -> None:
        try:
            self._accepted(alerts)
        except Exception as error:
            why = quoted(f"{type(error).__name__}: {error}")
            log.error("%d accepted alerts are left to the sensor: %s", len(alerts), why)
