"""What the launchpad asks for: one typed form for the whole job, with every field in it."""

from typing import Any

import dagster as dg
from pydantic import Field, create_model

from gp_pipelines.launchpad import service_choice
from gp_pipelines.services import Services


def release_config(services: Services) -> type[dg.Config]:
    """The launchpad's form of the `release` job."""
    known = sorted({v for name in services.names for v in services[name].artifact.versions})
    choice = service_choice(services)
    fields: dict[str, Any] = {
        "service": (
            choice,
            Field(description="Which service of services.yaml to release."),
        ),
        "version": (
            str,
            Field(
                description="The version to release. It is built once; later releases take the "
                f"stored artifact. Known beforehand: {', '.join(known) or 'none'}."
            ),
        ),
        "redeploy": (
            bool,
            Field(default=False, description="Release it even if this very version is live."),
        ),
        "allow_downgrade": (
            bool,
            Field(
                default=False,
                description="Release it even if it is older than the live version. Its unknown "
                "migrations stay applied.",
            ),
        ),
        "replace_previous": (
            bool,
            Field(
                default=False,
                description="Release it even while the last release bakes (`bake_seconds`): the "
                "old slot, to which a rollback goes back at once, is taken for it.",
            ),
        ),
        "accept_findings": (
            str,
            Field(
                default="",
                max_length=500,
                description="Why its migrations are applied although the gate found that they "
                "break the version that is live, or need approval. Recorded with your name.",
            ),
        ),
        "manual": (
            bool,
            Field(
                default=False,
                description="Stop before the switch and wait for the `promote` job "
                "(always so where services.yaml says `promotion: manual`).",
            ),
        ),
    }
    return create_model("ReleaseConfig", __base__=dg.Config, **fields)
