"""What the load found: counts, who answered when, how long it took."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from gp_pipelines_tests.load.record import Connection, Failure, Mark, Pulse, Record


@dataclass(frozen=True, repr=False)
class Results:
    """Requests in the order in which they ended. Times are ns since the epoch (time.time_ns)."""

    records: tuple[Record, ...]
    marks: tuple[Mark, ...] = ()
    pulses: tuple[Pulse, ...] = ()

    def __repr__(self) -> str:
        return f"<Results: {self.requests} requests, {self.failed} failed, ended {self.ended}>"

    @property
    def requests(self) -> int:
        return len(self.records)

    @cached_property
    def failures(self) -> tuple[Record, ...]:
        return tuple(record for record in self.records if record.failure is not None)

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def failed_by_kind(self) -> Counter[Failure]:
        return Counter(record.failure for record in self.failures if record.failure)

    @property
    def failed_by_version(self) -> Counter[str | None]:
        """None: nobody of the service answered (the entrance itself did, or no answer came)."""
        return Counter(record.version for record in self.failures)

    @property
    def answered_by_version(self) -> Counter[str | None]:
        return Counter(record.version for record in self.records)

    def examples(self, most: int = 5) -> tuple[str, ...]:
        """Some failures for people to read: first one of each kind, version and request."""
        seen: dict[tuple[object, ...], Record] = {}
        for record in self.failures:
            seen.setdefault((record.failure, record.version, record.request), record)
        return tuple(_describe(record) for record in list(seen.values())[:most])

    def during(self, since: int, until: int | None = None) -> "Results":
        """The requests begun in [since, until): they belong to what happened then."""
        end = until if until is not None else math.inf
        return self._only(record for record in self.records if since <= record.begun < end)

    def window(self, name: str) -> "Results":
        """From the last mark of this name to the mark after it. Raises KeyError without one."""
        for window in reversed(self.windows()):
            if window.name == name:
                return window.results
        raise KeyError(f"no mark {name!r}; marks: {[mark.name for mark in self.marks]}")

    def windows(self) -> "tuple[Window, ...]":
        """The requests between each mark and the next, in the order of the marks."""
        ends: list[int | None] = [mark.at for mark in self.marks[1:]]
        return tuple(
            Window(mark.name, mark.at, end, self.during(mark.at, end))
            for mark, end in zip(self.marks, [*ends, None], strict=False)
        )

    def slices(self, seconds: float) -> "tuple[Window, ...]":
        """The same in windows of equal length from the first request on: when it failed."""
        if not self.records:
            return ()
        step = int(seconds * 1e9)
        start = min(record.begun for record in self.records)
        inside: dict[int, list[Record]] = {}
        for record in self.records:
            inside.setdefault((record.begun - start) // step, []).append(record)
        edges = [(i, start + i * step) for i in range(max(inside) + 1)]
        return tuple(
            Window(f"+{i * seconds:g} s", since, since + step, self._only(inside.get(i, ())))
            for i, since in edges
        )

    def answers(
        self,
        *,
        version: str | None = None,
        release: str | None = None,
        connection: Connection | None = None,
    ) -> "Results":
        """The requests answered so, well or badly. What is not said is not looked at."""
        return self._only(
            record
            for record in self.records
            if record.status
            and version in (None, record.version)
            and release in (None, record.release)
            and connection in (None, record.connection)
        )

    def first_answer(self, after: int) -> Record | None:
        """The first answer that came at or after a moment. Filter with `answers` before."""
        later = (record for record in self.records if record.status and record.ended >= after)
        return min(later, key=lambda record: record.ended, default=None)

    def last_answer(self, after: int) -> Record | None:
        """The last one. Its `begun` tells whether it was only in flight at that moment."""
        later = (record for record in self.records if record.status and record.ended >= after)
        return max(later, key=lambda record: record.ended, default=None)

    def latency_ms(self, percent: float) -> float:
        """A percentile (nearest rank) of the time from when a request was *due* to its end.

        Failed ones count as well. Taken from the schedule, not from the sending, because a
        generator that is held up would otherwise leave out the slow moments ("coordinated
        omission"). Raises ValueError without requests.
        """
        times = sorted(record.late_us + record.took_us for record in self.records)
        if not times:
            raise ValueError("no request was made")
        return times[max(math.ceil(percent / 100 * len(times)), 1) - 1] / 1000

    @property
    def latest_ms(self) -> float:
        """How far behind its schedule the generator ever was: a measure of its own trouble."""
        return max((record.late_us for record in self.records), default=0) / 1000

    @property
    def closed_idle(self) -> int:
        """Keep-alive connections that were found closed by the server before a request."""
        return sum(record.connection is Connection.REOPENED for record in self.records)

    @property
    def rate(self) -> float:
        """Requests per second, from the first to the last one begun."""
        begun = [record.begun for record in self.records]
        span = max(begun, default=0) - min(begun, default=0)
        return (len(begun) - 1) / span * 1e9 if span else 0.0

    @property
    def complete_until(self) -> int:
        """Every request begun before this moment is in these results."""
        return self.pulses[-1].complete_until if self.pulses else 0

    @property
    def ended(self) -> bool:
        """The generator has ended in good order; False after a kill, and while it runs."""
        return bool(self.pulses) and self.pulses[-1].last

    @property
    def cpu_share(self) -> float:
        """Of one processor, taken by the generator between its first and last sign of life."""
        if len(self.pulses) < 2:
            return 0.0
        first, last = self.pulses[0], self.pulses[-1]
        return (last.cpu_ns - first.cpu_ns) / max(last.at - first.at, 1)

    def _only(self, records: Iterable[Record]) -> "Results":
        return replace(self, records=tuple(records))


@dataclass(frozen=True)
class Window:
    name: str
    since: int  # ns since the epoch
    until: int | None  # None: it is still open
    results: Results


def _describe(record: Record) -> str:
    who = f", version {record.version}" if record.version else ""
    return (
        f"#{record.number} {record.request} ({record.connection} connection{who}): "
        f"{record.failure}: {record.error}"
    )
