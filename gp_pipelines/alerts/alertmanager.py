"""The active alerts of a Prometheus Alertmanager, by its API v2."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic_core import from_json

from gp_pipelines.alerts.bounded_get import Answer, NoAnswer, bounded_get
from gp_pipelines.alerts.contract import Alert, FeedUnreadable
from gp_pipelines.alerts.sent_alert import AlertMalformed, understand
from gp_pipelines.errors import ConfigInvalid, quoted
from gp_pipelines.services import Service

READ_SECONDS = 5.0
MOST_BYTES = 32_000_000  # some 50,000 alerts

# What somebody has silenced, or another alert inhibits, is not to wake anybody. An alert that is
# still unprocessed may be about to be silenced: it counts a moment later.
ONLY_ACTIVE = (
    ("active", "true"),
    ("silenced", "false"),
    ("inhibited", "false"),
    ("unprocessed", "false"),
)
# The names that every Alertmanager can be asked for. Versions before 0.27 refuse any other.
CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)

UNKNOWN = "Whether any of its alerts fires is unknown."

log = logging.getLogger(__name__)


class AlertmanagerFeed:
    """Of one service. Keep the object: it remembers since when each alert has been known."""

    name = "alertmanager"

    def __init__(self, service: Service, read_token: Callable[[], str] | None) -> None:
        """`read_token` gives the bearer token; it may raise `ConfigInvalid`."""
        assert service.alerts.alertmanager is not None
        self._url = service.alerts.alertmanager.url.rstrip("/")
        self._wanted = {**service.alerts.match, "service": service.name}
        self._read_token = read_token
        self._seen: dict[tuple[str, datetime], datetime] = {}

    def read(self) -> tuple[Alert, ...]:
        now = datetime.now(UTC)
        known: list[Alert | None] = []
        malformed: list[str] = []
        for sent in self._alerts_of(self._ask()):
            try:
                known.append(self._understand(sent, now))
            except AlertMalformed as error:
                malformed.append(error.what)
        # One among good ones is left out. Where there are no good ones, we do not speak the same.
        if malformed and not known:
            raise self._unreadable(
                f"sent {len(malformed)} alerts, and none can be understood: {malformed[0]}"
            )
        if malformed:
            where = quoted(self._url)
            log.warning("%s: %d alerts left out: %s", where, len(malformed), malformed[0])
        alerts = tuple(each for each in known if each is not None)
        self._seen = {(each.fingerprint, each.starts_at): each.seen_at for each in alerts}
        return alerts

    def _understand(self, sent: Any, now: datetime) -> Alert | None:
        """None for one that is understood, and is not what was asked for. Raises `AlertMalformed`.

        What stands in between may not know the filters, and pass everything on.
        """
        alert = understand(sent, feed=self.name, now=now)
        if not _is_active(sent) or not _has(alert.labels, self._wanted):
            return None
        return replace(alert, seen_at=self._seen.get((alert.fingerprint, alert.starts_at), now))

    def _ask(self) -> Answer:
        headers = {"Accept": "application/json", **self._authorization()}
        url = f"{self._url}/api/v2/alerts"
        params = [*ONLY_ACTIVE, *_filters(self._wanted)]
        try:
            return bounded_get(url, params, headers, seconds=READ_SECONDS, most_bytes=MOST_BYTES)
        except NoAnswer as error:
            raise self._unreadable(f"gave no whole answer: {error}") from None

    def _authorization(self) -> dict[str, str]:
        if self._read_token is None:
            return {}
        try:
            token = self._read_token().strip()
        except ConfigInvalid as error:
            raise FeedUnreadable(error.what, state=UNKNOWN, advice=error.advice) from None
        if not (token.isascii() and token.isprintable()):
            # The client would repeat the header in its error.
            raise self._unreadable("cannot be asked: its token is not one line of ASCII")
        return {"Authorization": f"Bearer {token}"}

    def _alerts_of(self, answer: Answer) -> list[Any]:
        said = quoted(answer.body[:2000].decode(errors="replace"))
        if answer.status != httpx.codes.OK:
            raise self._unreadable(f"answered {answer.status}: {said}")
        try:
            alerts = from_json(answer.body)
        except ValueError:
            raise self._unreadable(f"answered with what is no JSON: {said}") from None
        if not isinstance(alerts, list):
            raise self._unreadable(f"answered with what is no list of alerts: {said}")
        return alerts

    def _unreadable(self, what: str) -> FeedUnreadable:
        return FeedUnreadable(
            f"Alertmanager at {quoted(self._url)} {what}.",
            state=UNKNOWN,
            advice="See that it runs, and that `alerts.alertmanager` in services.yaml is right.",
        )


def _is_active(sent: Any) -> bool:
    status = sent.get("status")
    return isinstance(status, dict) and status.get("state") == "active"


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name, "") == value for name, value in wanted.items())


def _filters(wanted: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        ("filter", f'{name}="{_escaped(value)}"')
        for name, value in wanted.items()
        if CLASSIC_NAME.fullmatch(name)
    ]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
