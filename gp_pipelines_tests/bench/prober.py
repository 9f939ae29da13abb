"""When users first see a new version: one fresh connection after the other, until it answers."""

import http.client
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from gp_pipelines.targets.local.envoy_routing import RELEASE_HEADER

PAUSE_SECONDS = 0.002
LONGEST_SECONDS = 60.0


class Prober:
    """Asks `url` in a thread, each time on a new connection, and notes which releases answer."""

    def __init__(self, url: str, path: str) -> None:
        self._address = urlsplit(url).netloc
        self._path = path
        self._done = threading.Event()
        self._first: dict[str, float] = {}
        self._thread = threading.Thread(target=self._probe, daemon=True)

    def first_answer(self, release_id: str) -> float:
        """Seconds since the epoch at the end of its first answer. Raises RuntimeError."""
        if release_id not in self._first:
            raise RuntimeError(f"nobody saw an answer of release {release_id}")
        return self._first[release_id]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _probe(self) -> None:
        end = time.monotonic() + LONGEST_SECONDS
        while not self._done.wait(PAUSE_SECONDS) and time.monotonic() < end:
            connection = http.client.HTTPConnection(self._address, timeout=5)
            try:
                connection.request("GET", self._path)
                answer = connection.getresponse()
                answer.read()
                self._first.setdefault(answer.getheader(RELEASE_HEADER, "-"), time.time())
            except OSError:
                continue  # lost requests are the load's to count
            finally:
                connection.close()
