"""All feeds of all services, read again and again in threads: one that hangs holds up none else."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from gp_pipelines.alerts.contract import Alert, Feed
from gp_pipelines.errors import GpError

# The probe has to look often to know when it began; what else there is asks over a network.
EVERY_SECONDS = {"probe": 0.25}
OTHERWISE_SECONDS = 1.0


@dataclass
class FeedState:
    """What one feed of one service said last, and when it could be read."""

    feed: Feed
    alerts: tuple[Alert, ...] = ()
    error: str = ""  # why it could not be read the last time: then nothing is known, not health
    read_at: float | None = None  # seconds since the epoch, of the last successful read
    begun: float = -1e9  # monotonic, of the read that is under way, or was the last
    reading: "Future[tuple[Alert, ...]] | None" = field(default=None, repr=False)


class Readings:
    """`states` by service. One for as long as the process lives: feeds remember what they saw."""

    def __init__(self, feeds: Callable[[str], Iterable[Feed]], services: Iterable[str]) -> None:
        self.states = {name: [FeedState(feed) for feed in feeds(name)] for name in services}
        # A thread for each, should all of them hang; as long as they answer, few are started.
        count = sum(len(states) for states in self.states.values())
        self._pool = ThreadPoolExecutor(max(count, 1), thread_name_prefix="gp-feed")

    def refresh(self) -> set[str]:
        """Take in what has come, and ask again where it is time to. Waits for nothing.

        Returns the services of which anything is new.
        """
        news = set()
        for name, states in self.states.items():
            for state in states:
                before = state.alerts
                self._take(state)
                self._ask(state)
                if state.alerts != before:
                    news.add(name)
        return news

    def alerts(self, service: str) -> tuple[Alert, ...]:
        return tuple(alert for state in self.states[service] for alert in state.alerts)

    def unknown(self, service: str) -> tuple[str, ...]:
        """What of its feeds could not be read, each in a sentence."""
        return tuple(
            f"{state.feed.name} is UNKNOWN: {state.error}"
            for state in self.states[service]
            if state.error
        )

    def _take(self, state: FeedState) -> None:
        if state.reading is None or not state.reading.done():
            return
        try:
            state.alerts, state.error = state.reading.result(), ""
            state.read_at = time.time()
        except GpError as error:
            state.alerts, state.error = (), error.what
        except Exception as error:  # a feed is a stranger's data: no surprise in it stops the rest
            state.alerts, state.error = (), f"{type(error).__name__}: it could not be read"
        state.reading = None

    def _ask(self, state: FeedState) -> None:
        every = EVERY_SECONDS.get(state.feed.name, OTHERWISE_SECONDS)
        if state.reading is None and time.monotonic() - state.begun >= every:
            state.begun = time.monotonic()
            state.reading = self._pool.submit(state.feed.read)
