"""What is sent to the webhook: Alertmanager's format, and a plain one of one alert."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.alerts.sent_alert import AlertMalformed, understand
from gp_pipelines.errors import Refused, quoted

MOST_ALERTS = 20_000
ALERTMANAGERS_VERSION = "4"


class PayloadMalformed(Refused):
    """Neither of the two formats."""


class TooManyAlerts(Refused):
    """More than `MOST_ALERTS`."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The alerts that were understood, and why each other one was left out."""

    alerts: tuple[Alert, ...]
    malformed: tuple[str, ...]
    foreign: tuple[str, ...]  # understood, and of no service that is released here


def read_payload(body: bytes, services: Collection[str], now: datetime) -> Payload:
    """Raises `PayloadMalformed` and `TooManyAlerts`.

    One alert that cannot be understood does not take the others of its group with it: Alertmanager
    would not send them again.
    """
    alerts: list[Alert] = []
    malformed: list[str] = []
    foreign: list[str] = []
    for place, sent in enumerate(_sent(body)):
        try:
            alert = _understand(sent, now)
        except AlertMalformed as error:
            malformed.append(f"alert {place}: {error.what}")
            continue
        service = alert.labels.get("service")
        if service in services:
            alerts.append(alert)
        elif service is None:
            foreign.append(f"alert {place}: it has no label `service`")
        else:
            foreign.append(f"alert {place}: {quoted(service)!r} is no service in services.yaml")
    return Payload(tuple(alerts), tuple(malformed), tuple(foreign))


def _understand(sent: Any, now: datetime) -> Alert:
    status = sent.get("status") if isinstance(sent, dict) else None
    alert = understand(sent, feed="webhook", now=now, resolved=status == "resolved")
    if status not in ("firing", "resolved"):
        raise AlertMalformed("status: should be firing or resolved")
    return alert


def _sent(body: bytes) -> list[Any]:
    try:
        payload = from_json(body)
    except ValueError as error:
        raise _malformed(f"The body is no JSON: {quoted(str(error))}.") from None
    if not isinstance(payload, dict):
        raise _malformed("The body is no JSON object.")
    if "alerts" not in payload:
        return [payload]
    if payload.get("version") != ALERTMANAGERS_VERSION:
        raise _malformed(f"It has `alerts`, and is not version {ALERTMANAGERS_VERSION!r}.")
    alerts = payload["alerts"]
    if not isinstance(alerts, list):
        raise _malformed("`alerts` is no list.")
    if len(alerts) > MOST_ALERTS:
        raise TooManyAlerts(
            f"There are {len(alerts)} alerts in one message; {MOST_ALERTS} are taken.",
            state="None was accepted.",
            advice="Set `max_alerts` of the receiver, or group by more labels.",
        )
    return alerts


def _malformed(what: str) -> PayloadMalformed:
    return PayloadMalformed(
        what,
        state="Nothing was accepted.",
        advice=f"Send what Alertmanager's webhook sends, version {ALERTMANAGERS_VERSION!r}, or one "
        "object with `labels`, `annotations`, `status` and `startsAt`.",
    )
