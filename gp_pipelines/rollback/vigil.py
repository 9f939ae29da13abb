"""Watching those who watch: whether Dagster's daemon and the rollback sensor live, and read feeds.

Run by the webhook's process, beside Dagster: an error in a sensor alarms nobody, and a daemon that
is dead says nothing.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gp_pipelines.alerts import watched
from gp_pipelines.errors import GpError, quoted
from gp_pipelines.platform import Platform
from gp_pipelines.rollback.cursor import GUARDS, FeedSeen, understood
from gp_pipelines.services import Service

Feeds = Mapping[str, Mapping[str, FeedSeen]]  # by service, by feed

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
        self._since: dict[str, float] = {}  # when a trouble that goes on was first seen
        self.daemon_at: float | None = None
        self.tick_at: float | None = None

    def look(self) -> list[Change]:
        """Those services of which people should be told. Raises nothing that is expected."""
        now = self._clock()
        dead, feeds = self._asked(now)
        found = []
        for name, platform in self._platforms.items():
            trouble = dead or _unread(feeds.get(name, {}))
            if trouble is None:
                self._since.pop(name, None)
                found += self._note(name, platform, "")
            elif self._lasts(name, trouble, now, platform.service):
                found += self._note(name, platform, trouble.why)
            elif name in self._told:  # not for long yet: what was said before holds
                found += self._note(name, platform, self._told[name])
        return found

    def _asked(self, now: float) -> tuple["_Trouble | None", Feeds]:
        """What is wrong with all services, and what the sensor says of each one's feeds."""
        try:
            state = self._ask()
        except GpError as error:
            return _Trouble(f"Dagster does not say how its sensor is: {quoted(str(error))}"), {}
        self.daemon_at, self.tick_at = state.daemon_at, state.tick_at
        return _dead(state, now), understood(state.cursor).feeds

    def _lasts(self, name: str, trouble: "_Trouble", now: float, service: Service) -> bool:
        """For long enough to tell. What was before this process began is not counted."""
        since = self._since.setdefault(name, now)
        if trouble.since is not None:
            since = min(since, trouble.since)
        limit = service.alerts.not_watched_after_seconds
        return now - max(since, self._began) >= limit

    @property
    def not_watched(self) -> Mapping[str, str]:
        """By service, why its alerts are not watched; empty if they are."""
        return dict(self._told)

    def _note(self, name: str, platform: Platform, why_not: str) -> list[Change]:
        """People are told once when it ends, and once when it is over; not of a new reason."""
        before = self._told.get(name)
        try:
            now = platform.target.traffic.read().now
            last = watched.noted(platform.target.ledger)
            if before is None:  # by the process before this one
                before = last.why_not if last else ""
            if last is None or last.why_not != why_not or now - last.at >= watched.AGAIN:
                watched.note(platform.target.ledger, why_not, now)
        except GpError:
            pass  # the target cannot be written now: then its status is silent, which says it
        self._told[name] = why_not
        return [Change(name, why_not)] if bool(before) != bool(why_not) else []


@dataclass(frozen=True, slots=True)
class _Trouble:
    """`since` is in seconds since the epoch; None: nobody knows but who has seen it."""

    why: str
    since: float | None = None


def _dead(state: DagsterState, now: float) -> _Trouble | None:
    """Why no feed at all is acted on."""
    if _is_silent(state.daemon_at, DAEMON_SILENT_SECONDS, now):
        why = f"Dagster's sensor daemon is silent{_ago(state.daemon_at)}"
        return _Trouble(why, state.daemon_at)
    if not state.sensor_running:
        return _Trouble("the sensor rollback_on_alert is turned off in Dagster")
    if state.tick_error:
        return _Trouble(f"the sensor rollback_on_alert fails: {quoted(state.tick_error)}")
    if _is_silent(state.tick_at, TICK_SILENT_SECONDS, now):
        why = f"the sensor rollback_on_alert is silent{_ago(state.tick_at)}"
        return _Trouble(why, state.tick_at)
    return None


def _unread(feeds: Mapping[str, FeedSeen]) -> _Trouble | None:
    """Which feed cannot be read now. How long that lasts is looked at elsewhere."""
    for name, feed in feeds.items():
        if feed.error:
            what = (
                "its alerts cannot be judged"
                if name == GUARDS
                else f"the feed {name} cannot be read"
            )
            return _Trouble(f"{what}{_ago(feed.read_at)}: {feed.error}", feed.read_at)
    return None


def _is_silent(at: float | None, seconds: float, now: float) -> bool:
    return at is None or now - at > seconds


def _ago(at: float | None) -> str:
    return f" since {datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC" if at is not None else ""
