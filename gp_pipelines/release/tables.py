"""What the steps of a release found, as Dagster shows it to people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from gp_pipelines.errors import GpError
from gp_pipelines.migrating.gate import GateClosed
from gp_pipelines.migrating.tables import checks_table, passed, report_metadata
from gp_pipelines.model import Artifact, Plan, Slot
from gp_pipelines.smoke.checks import CheckResult, SmokeFailed
from gp_pipelines.targets.contract import SlotStatus
from gp_pipelines.traffic.switch import Switched

Metadata = dict[str, Any]


def plan_metadata(plan: Plan, artifact: Artifact | None = None) -> Metadata:
    live = plan.live
    rows = [
        ("service", plan.service),
        ("release", f"#{plan.number}"),
        ("version", f"{live.version if live else 'nothing'} → {plan.version}"),
        ("color", f"{live.color.value if live else '-'} → {plan.color.value}"),
        ("replicas", f"{live.replicas if live else 0} → {plan.replicas}"),
        ("configuration", plan.config_hash),
        ("promotion", "manual: waits for `promote`" if plan.manual else "automatic"),
        ("asked by", plan.actor),
    ]
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    return {
        "release": f"#{plan.number} of {plan.service}",
        "version": f"{_slot(live)} → {plan.version} on {plan.color}",
        "plan": dg.MetadataValue.md("\n".join(lines)),
        **(artifact_metadata(artifact) if artifact else {}),
    }


def artifact_metadata(artifact: Artifact) -> Metadata:
    return {
        "digest": artifact.digest,
        "size (bytes)": artifact.size,
        "built": "now" if artifact.built else "before; the stored artifact was taken",
        "location": dg.MetadataValue.path(artifact.location),
    }


def slot_metadata(status: SlotStatus, preview: str) -> Metadata:
    rows = [f"| {r.name} | {'yes' if r.ready else 'no'} | {r.detail} |" for r in status.replicas]
    return {
        "slot": status.slot.name,
        "ready": f"{status.ready}/{status.wanted}",
        "preview": dg.MetadataValue.url(preview),
        "replicas": dg.MetadataValue.md(
            "\n".join(["| replica | ready | detail |", "|---|---|---|", *rows])
        ),
    }


def smoke_metadata(results: Sequence[CheckResult], preview: str) -> Metadata:
    return {
        "passed": passed(results),
        "checks": checks_table(results),
        "preview": dg.MetadataValue.url(preview),
    }


def switch_metadata(done: Switched) -> Metadata:
    return {"traffic": f"{_slot(done.before)} → {_slot(done.after)}", **done.facts()}


def failure_metadata(error: GpError, last_words: Mapping[str, str]) -> Metadata:
    """What a person would look at next: the checks, and each replica's state and last lines."""
    metadata: Metadata = {
        f"replica {name}": dg.MetadataValue.md(f"```\n{words}\n```")
        for name, words in last_words.items()
    }
    if isinstance(error, GateClosed):
        metadata |= report_metadata(error.report)
    if isinstance(error, SmokeFailed):
        metadata["checks"] = checks_table(error.results)
    return metadata


def deadline_metadata(deadline: datetime | None) -> Metadata:
    if deadline is None:
        return {"old slot": "none: this was the first release"}
    return {"old slot stays warm until": dg.MetadataValue.timestamp(deadline)}


def _slot(slot: Slot | None) -> str:
    return slot.describe() if slot else "nothing"
