"""The thread that shows that a holder lives, for as long as its process does."""

import threading
from collections.abc import Callable

from gp_pipelines.traffic.liveness import RENEW_SECONDS


class Heart:
    """Beats every `RENEW_SECONDS` until it is stopped, or until `beat` says that it is over."""

    def __init__(self, beat: Callable[[], bool]) -> None:
        self._beat = beat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gp-heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=RENEW_SECONDS)

    def _run(self) -> None:
        while not self._stopped.wait(RENEW_SECONDS):
            if not self._beat():
                return
