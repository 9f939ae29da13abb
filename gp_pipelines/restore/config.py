"""What the launchpad asks for a restore."""

from typing import Any

import dagster as dg
from pydantic import Field, create_model

from gp_pipelines.launchpad import service_choice
from gp_pipelines.services import Services


def restore_config(services: Services) -> type[dg.Config]:
    """The launchpad's form of the `restore` job."""
    fields: dict[str, Any] = {
        "service": (
            service_choice(services),
            Field(description="The service whose data are brought back."),
        ),
        "backup": (
            str,
            Field(
                default="",
                description="The backup's id. Empty: the run ends at once, and lists them with "
                "what each would lose.",
            ),
        ),
        "version": (
            str,
            Field(
                default="",
                description="The version that works with the restored data, where the live one "
                "does not fit the backup's older schema. Empty: the live one.",
            ),
        ),
        "operator": (str, Field(default="", description="Your name; it is recorded.")),
        "reason": (str, Field(default="", description="Why; it is recorded, too.")),
        "confirm": (
            str,
            Field(
                default="",
                description="The service's name, typed: what was written since the backup is not "
                "in the restored data.",
            ),
        ),
    }
    return create_model("RestoreConfig", __base__=dg.Config, **fields)
