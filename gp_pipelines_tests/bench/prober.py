"""When users first see a new version: one fresh connection after the other, until it answers."""

import http
import http.client
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from gp_pipelines.targets.local.envoy_routing import RELEASE_HEADER

PAUSE_SECONDS = 0.005  # a first answer is seen at most this much, and one request, too late
TIMEOUT_SECONDS = 5.0


class Prober:
    """Asks `url` in a thread, each time on a new connection, and notes which releases answer.

    Its requests are users' requests, too: `asked` and `lost` (why, for each) count them.
    """

    def __init__(self, url: str, path: str) -> None:
        self._address = urlsplit(url).netloc
        self._path = path
        self.asked = 0
        self.lost: list[str] = []
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
        while not self._done.wait(PAUSE_SECONDS):
            self.asked += 1
            try:
                self._ask()
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{type(error).__name__}: {error}")

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", self._path)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status == http.HTTPStatus.OK:
            self._first.setdefault(answer.getheader(RELEASE_HEADER, "-"), time.time())
        else:
            self.lost.append(f"status {answer.status}")
