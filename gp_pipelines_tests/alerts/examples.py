"""Alerts and services as tests need them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.alerts.sent_alert import fingerprint
from gp_pipelines.services import Service

# More than one test is true only as long as the alert is younger than what it is compared with.
BEGAN = datetime.now(UTC) - timedelta(minutes=5)


def service(name: str = "api", **alerts: Any) -> Service:
    return Service.model_validate(
        {
            "name": name,
            "artifact": {"kind": "wheel", "source": Path()},
            "command": ["api"],
            "identity": {"path": "/"},
            "smoke": {"checks": [{"path": "/"}]},
            "alerts": alerts,
        }
    )


def labels(**more: Any) -> dict[str, Any]:
    return {"alertname": "HighErrorRate", "service": "api", "auto_rollback": "true", **more}


def sent(**fields: Any) -> dict[str, Any]:
    """As Alertmanager has it in its API; other fields replace these."""
    return {
        "annotations": {"summary": "many errors"},
        "endsAt": "2038-01-01T00:00:00.000Z",
        "fingerprint": "0123456789abcdef",
        "receivers": [{"name": "rollback"}],
        "startsAt": BEGAN.isoformat(),
        "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
        "updatedAt": "2026-08-01T12:00:00.000Z",
        "generatorURL": "http://prometheus/graph",
        "labels": labels(),
        **fields,
    }


def alert(resolved: bool = False, starts_at: datetime = BEGAN, **more: str) -> Alert:
    """As the webhook has understood it."""
    return Alert(
        feed="webhook",
        fingerprint=fingerprint(labels(**more)),
        labels=labels(**more),
        annotations={"summary": "many errors"},
        starts_at=starts_at,
        seen_at=datetime.now(UTC),
        resolved=resolved,
    )


def plain(**fields: Any) -> dict[str, Any]:
    """In the webhook's own format."""
    return {
        "labels": labels(),
        "annotations": {"summary": "many errors"},
        "status": "firing",
        "startsAt": BEGAN.isoformat(),
        **fields,
    }


def group(*alerts: Any, **fields: Any) -> dict[str, Any]:
    """As Alertmanager's webhook has it."""
    return {
        "receiver": "gp",
        "status": "firing",
        "alerts": [
            {**sent(), "status": "firing", "endsAt": "0001-01-01T00:00:00Z", **each}
            if isinstance(each, dict)
            else each
            for each in alerts
        ],
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        **fields,
    }
