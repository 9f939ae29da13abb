"""Where a run is to be seen, as people reach Dagster: what they are told links to it."""

from collections.abc import Mapping

VARIABLE = "GP_DAGSTER_URL"
LOCAL = "GP_DAGSTER_LOCAL_URL"  # `gp up` sets it for Dagster's processes: good on this machine


def run_url(environment: Mapping[str, str], run_id: str) -> str | None:
    """None where Dagster's address is not known, and for a command that no run of Dagster did."""
    base = (environment.get(VARIABLE) or environment.get(LOCAL, "")).rstrip("/")
    return f"{base}/runs/{run_id}" if base and not run_id.startswith("cli-") else None
