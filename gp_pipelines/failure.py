"""An expected error as a failed step of Dagster: its three sentences, and what kind it was."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from gp_pipelines.errors import GpError, outcome_of


def step_failure(error: GpError, details: Mapping[str, Any] | None = None) -> dg.Failure:
    """`error` for the UI and for whoever follows the run. Never retried by Dagster itself.

    `details` are more metadata: what a person would look for next.
    """
    metadata: dict[str, Any] = {"outcome": dg.MetadataValue.text(outcome_of(error))}
    metadata |= details or {}  # before what the message says, too: the UI shows the first ones
    if error.state:
        metadata["state now"] = dg.MetadataValue.text(error.state)
    if error.advice:
        metadata["what to do"] = dg.MetadataValue.text(error.advice)
    return dg.Failure(str(error), metadata=metadata, allow_retries=False)
