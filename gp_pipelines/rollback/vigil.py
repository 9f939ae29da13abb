"""Watching those who watch: whether Dagster's daemon and the rollback sensor live, and read feeds.

Run by the webhook's process, beside Dagster: an error in a sensor alarms nobody, and a daemon that
is dead says nothing.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gp_pipelines.alerts import watched
from gp_pipelines.errors import GpError, quoted
from gp_pipelines.platform import Platform
from gp_pipelines.services import Service

EVERY_SECONDS = 5.0
# A tick looks for 20 s, and the daemon begins one every 5 s.
TICK_SILENT_SECONDS = 45.0
DAEMON_SILENT_SECONDS = 45.0  # it says that it lives every 30 s


@dataclass(frozen=True, slots=True)
class DagsterState:
    """What Dagster's webserver says. Times in seconds since the epoch; None: never, or unknown."""

    daemon_at: float | None  # the sensor daemon's last heartbeat
    sensor_running: bool  # somebody may have turned it off
    tick_at: float | None
    tick_error: str
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A service that is watched no more, or again."""

    service: str
    why_not: str  # empty: again


class Vigil:
    """`look` is called every `EVERY_SECONDS`; it leaves on each target what it found."""

    def __init__(
        self,
        platforms: Mapping[str, Platform],
        ask: Callable[[], DagsterState],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`ask` raises `GpError` where the webserver does not answer."""
        self._platforms = platforms
        self._ask = ask
        self._clock = clock
        self._began = clock()
        self._told: dict[str, str] = {}
        self.daemon_at: float | None = None
        self.tick_at: float | None = None

    def look(self) -> list[Change]:
        """Those services of which people should be told. Raises nothing that is expected."""
        now = self._clock()
        try:
            state = self._ask()
            dead = _dead(state, now)
            self.daemon_at, self.tick_at = state.daemon_at, state.tick_at
            feeds = json.loads(state.cursor).get("feeds", {}) if state.cursor else {}
        except (GpError, ValueError) as error:
            dead, feeds = f"Dagster does not say how its sensor is: {quoted(str(error))}", {}
        found = []
        for name, platform in self._platforms.items():
            why_not = dead or _unread(platform.service, feeds.get(name, {}), now)
            if now - self._began < platform.service.alerts.not_watched_after_seconds and why_not:
                continue  # it was started a moment ago, as everything else was
            found += self._note(name, platform, why_not)
        return found

    @property
    def not_watched(self) -> Mapping[str, str]:
        """By service, why its alerts are not watched; empty if they are."""
        return dict(self._told)

    def _note(self, name: str, platform: Platform, why_not: str) -> list[Change]:
        """People are told once when it ends, and once when it is over; not of a new reason."""
        changed = bool(self._told.get(name)) != bool(why_not)
        try:
            now = platform.target.traffic.read().now
            last = watched.noted(platform.target.ledger)
            if last is None or last.why_not != why_not or now - last.at >= watched.AGAIN:
                watched.note(platform.target.ledger, why_not, now)
        except GpError:
            pass  # the target cannot be written now: then its status is silent, which says it
        self._told[name] = why_not
        return [Change(name, why_not)] if changed else []


def _dead(state: DagsterState, now: float) -> str:
    """Why no feed at all is acted on."""
    if state.daemon_at is None or now - state.daemon_at > DAEMON_SILENT_SECONDS:
        return f"Dagster's sensor daemon is silent{_since(state.daemon_at, now)}"
    if not state.sensor_running:
        return "the sensor rollback_on_alert is turned off in Dagster"
    if state.tick_error:
        return f"the sensor rollback_on_alert fails: {quoted(state.tick_error)}"
    if state.tick_at is None or now - state.tick_at > TICK_SILENT_SECONDS:
        return f"the sensor rollback_on_alert is silent{_since(state.tick_at, now)}"
    return ""


def _unread(service: Service, feeds: Mapping[str, Any], now: float) -> str:
    """Which feed could not be read for too long."""
    for name, feed in feeds.items():
        limit = service.alerts.not_watched_after_seconds
        if feed["error"] and (feed["read_at"] is None or now - feed["read_at"] > limit):
            return f"the feed {name} cannot be read{_since(feed['read_at'], now)}: {feed['error']}"
    return ""


def _since(at: float | None, now: float) -> str:
    return f" for {now - at:.0f} s" if at is not None else ""
