"""The feed that needs no monitoring: what the entrance itself shows of the live version.

It alerts on the share of failed requests (`HighErrorRate`), and on wrong answers of the health
check through the entrance (`HealthCheckFailure`).
"""

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import datetime

from gp_pipelines.alerts.contract import Alert, FeedUnreadable
from gp_pipelines.alerts.error_rate import ErrorRate, Sample
from gp_pipelines.alerts.finding import Finding
from gp_pipelines.alerts.health_watch import Background, HealthWatch, in_a_thread
from gp_pipelines.errors import GpError
from gp_pipelines.model import Slot
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Reading, RequestCounts, Target

EVERY_SECONDS = 0.25  # a read that comes sooner gets what the one before it saw
FORGET_AFTER_SECONDS = 10.0  # without a look: what was seen before then is not "just now" any more


class ProbeFeed:
    """Implements `contract.Feed` for one service that has a probe.

    It remembers what it saw from read to read, so one object is read again and again for as long as
    the process lives; another process starts with nothing. Reads may come from several threads.
    """

    name = "probe"

    def __init__(
        self,
        service: Service,
        target: Target,
        *,
        clock: Callable[[], float] = time.monotonic,
        background: Background = in_a_thread,
    ) -> None:
        self._service = service
        self._target = target
        self._clock = clock
        self._background = background
        self._lock = threading.Lock()
        self._looked_at: float | None = None
        self._alerts: tuple[Alert, ...] = ()
        self._watch: _Watch | None = None

    def read(self) -> tuple[Alert, ...]:
        """Takes a few milliseconds: only the entrance's counters are waited for."""
        with self._lock:
            now = self._clock()
            if self._looked_at is None or now - self._looked_at >= EVERY_SECONDS:
                self._alerts = self._look(now)
                self._looked_at = now
            return self._alerts

    def _look(self, now: float) -> tuple[Alert, ...]:
        if self._looked_at is not None and now - self._looked_at > FORGET_AFTER_SECONDS:
            self._watch = None
        try:
            reading = self._target.traffic.read()
            watch = self._watch_of(reading)
            return watch.look(now, reading.now) if watch else ()
        except GpError as error:
            raise FeedUnreadable(
                f"The probe cannot read what the entrance shows of {self._service.name}: "
                f"{error.what}",
                state="Whether the live version fails is unknown.",
                advice=error.advice,
            ) from error

    def _watch_of(self, reading: Reading) -> "_Watch | None":
        """A new one with each switch: no alert rests on anything from before it."""
        live, switched_at = reading.record.live, reading.record.switched_at
        if live is None:
            self._watch = None
        elif self._watch is None or not self._watch.is_of(live, switched_at):
            self._watch = _Watch(self._service, self._target, live, switched_at, self._background)
        return self._watch


class _Watch:
    """Of one version, from one switch on."""

    def __init__(
        self,
        service: Service,
        target: Target,
        live: Slot,
        switched_at: datetime | None,
        background: Background,
    ) -> None:
        probe = service.alerts.probe
        assert probe is not None
        self._service = service
        self._target = target
        self._live = live
        self._switched_at = switched_at
        self._errors = ErrorRate(probe)
        self._health = HealthWatch(
            target.entrance, service.health, live.release_id, probe, background
        )
        self._firing: dict[str, Alert] = {}

    def is_of(self, live: Slot, switched_at: datetime | None) -> bool:
        return (self._live.release_id, self._switched_at) == (live.release_id, switched_at)

    def look(self, seconds: float, at: datetime) -> tuple[Alert, ...]:
        """Raises `TargetUnavailable`. `seconds` is monotonic, `at` by the target's clock."""
        if not self._health.asking:
            counts = self._target.entrance.counts()[self._live.color]
            self._errors.add(Sample(seconds, at, _without(counts, self._health.asked)))
        self._health.ask_when_due(seconds, at)
        self._judge("HighErrorRate", self._errors.finding(), at)
        self._judge("HealthCheckFailure", self._health.finding(), at)
        return tuple(self._firing.values())

    def _judge(self, name: str, finding: Finding | None, at: datetime) -> None:
        """One alert for as long as the condition holds; it began when that was first seen."""
        if finding is None:
            self._firing.pop(name, None)
        elif name not in self._firing:
            self._firing[name] = self._alert(name, finding, at)

    def _alert(self, name: str, finding: Finding, at: datetime) -> Alert:
        live, service = self._live, self._service
        identity = f"{name}\n{service.name}\n{live.release_id}".encode()
        return Alert(
            feed=ProbeFeed.name,
            fingerprint=hashlib.sha256(identity).hexdigest()[:16],
            labels={
                "alertname": name,
                "service": service.name,
                "release_id": live.release_id,
                "color": live.color.value,
                "version": live.version,
                **service.alerts.match,  # whoever configures a probe wants its alerts to count
            },
            annotations={
                "summary": f"{live.describe()} of {service.name}: {finding.what}",
                "onset": finding.onset.isoformat(),
                **finding.facts,
            },
            starts_at=at,
            seen_at=at,
        )


def _without(counts: RequestCounts, own: RequestCounts) -> RequestCounts:
    """What users asked, without what the health watch did."""
    return RequestCounts(counts.total - own.total, counts.failed - own.failed)
