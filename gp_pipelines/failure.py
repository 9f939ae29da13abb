"""An expected error as a failed step of Dagster: its three sentences, and what kind it was."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from gp_pipelines.errors import ConfigInvalid, GpError, Refused


def step_failure(error: GpError, details: Mapping[str, Any] | None = None) -> dg.Failure:
    """`error` for the UI and for whoever follows the run. Never retried by Dagster itself.

    `details` are more metadata: what a person would look for next.
    """
    metadata: dict[str, Any] = {"outcome": dg.MetadataValue.text(outcome_of(error))}
    if error.state:
        metadata["state now"] = dg.MetadataValue.text(error.state)
    if error.advice:
        metadata["what to do"] = dg.MetadataValue.text(error.advice)
    metadata |= details or {}
    return dg.Failure(str(error), metadata=metadata, allow_retries=False)


def outcome_of(error: GpError) -> str:
    """How a run that ends with `error` ended: refused (a rule spoke against it), or failed."""
    return "refused" if isinstance(error, Refused | ConfigInvalid) else "failed"
