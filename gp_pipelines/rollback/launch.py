"""How the job `rollback` is launched for an alert: by the sensor, or at once by the webhook."""

from dataclasses import asdict
from typing import Any

from gp_pipelines import tags
from gp_pipelines.rollback.watch import Wanted

JOB = "rollback"


def run_config(wanted: Wanted) -> dict[str, Any]:
    """What the job asks for."""
    request = wanted.request
    return {
        "service": wanted.service,
        "release_id": request.release_id,
        "reason": request.reason,
        "alert": asdict(request.alert) if request.alert else None,
    }


def run_tags(wanted: Wanted) -> dict[str, str]:
    alert = wanted.request.alert
    return {
        tags.SERVICE: wanted.service,
        tags.SOURCE_RUN_ID: wanted.request.release_id,
        tags.TRIGGER: f"alert:{alert.fingerprint}" if alert else "sensor",
    }
