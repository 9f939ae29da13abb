"""What the launchpad asks for a rollback; a sensor or the webhook gives the alert with it."""

from typing import Any

import dagster as dg
from pydantic import Field, create_model

from gp_pipelines.launchpad import service_choice
from gp_pipelines.services import Services


class AlertConfig(dg.Config):
    """The alert that asks for the rollback."""

    feed: str
    name: str
    fingerprint: str
    starts_at: str
    seen_at: str
    decided_at: str = ""


def rollback_config(services: Services) -> type[dg.Config]:
    """The launchpad's form of the `rollback` job."""
    fields: dict[str, Any] = {
        "service": (
            service_choice(services),
            Field(description="The service whose live release is undone."),
        ),
        "release_id": (
            str,
            Field(
                default="",
                description="The release to undo; if it is not live any more, nothing is done. "
                "Empty: whatever is live.",
            ),
        ),
        "reason": (str, Field(default="", description="Why; it is recorded with your name.")),
        "alert": (
            AlertConfig | None,
            Field(default=None, description="Filled in by what launches rollbacks by itself."),
        ),
    }
    return create_model("RollbackConfig", __base__=dg.Config, **fields)
