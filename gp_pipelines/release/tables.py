"""What the steps of a release found, as Dagster shows it to people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from gp_pipelines.databases.compatibility.finding import Verdict
from gp_pipelines.databases.contract import Backup
from gp_pipelines.errors import GpError
from gp_pipelines.migrating.apply import Migrated
from gp_pipelines.migrating.gate import GateClosed, Judgement
from gp_pipelines.model import Artifact, Plan, Slot
from gp_pipelines.smoke.checks import CheckResult, SmokeFailed
from gp_pipelines.targets.contract import SlotStatus
from gp_pipelines.traffic.switch import Switched

Metadata = dict[str, Any]
_WORKS = {True: "yes", False: "NO", None: "not tried"}


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


def backup_metadata(backup: Backup | None) -> Metadata:
    if backup is None:
        return {"backup": "none: nothing is pending"}
    rows = [f"| {table} | {count:,} |" for table, count in sorted(backup.rows.items())]
    return {
        "backup": backup.id,
        "verified": "restored into a scratch server and compared: "
        f"{len(backup.rows)} tables, {sum(backup.rows.values()):,} rows, sequences",
        "size (bytes)": backup.size,
        "seconds": round(backup.seconds, 3),
        "rows": dg.MetadataValue.md("\n".join(["| table | rows |", "|---|---|", *rows])),
        "location": dg.MetadataValue.path(backup.location),
    }


def migrate_metadata(done: Migrated) -> Metadata:
    metadata: Metadata = {
        "applied": ", ".join(done.migration.applied) if done.migration else "none was pending",
    }
    if done.pending.unknown:
        numbers = ", ".join(map(str, done.pending.unknown))
        metadata["applied before, unknown to this version"] = numbers
    if done.pending.out_of_order:
        metadata["out of order"] = ", ".join(done.pending.out_of_order)
    if done.migration:
        metadata["seconds"] = round(done.migration.seconds, 3)
        metadata["output"] = dg.MetadataValue.md(f"```\n{done.migration.output}\n```")
    if done.judgement:
        metadata |= judgement_metadata(done.judgement)
        if done.judgement.report.verdict is not Verdict.COMPATIBLE:
            metadata["its findings were accepted"] = done.accepted
    if done.live_fails:
        metadata["the live version fails"] = done.live_fails
    if done.live_checks:
        metadata["the live version on the new schema"] = _passed(done.live_checks)
        metadata["its checks"] = checks_table(done.live_checks)
    return metadata


def judgement_metadata(judgement: Judgement) -> Metadata:
    rows = [
        f"| {each.slot.describe()} | {_WORKS[each.works]} | {each.why} |"
        for each in judgement.rehearsed
    ]
    head = ["| version | works | how it is known |", "|---|---|---|"]
    return {
        "verdict": str(judgement.report.verdict),
        "findings": dg.MetadataValue.md(judgement.report.as_markdown()),
        f"proved with schema {judgement.schema.name}": dg.MetadataValue.md(
            "\n".join([*head, *rows])
        ),
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
        "passed": _passed(results),
        "checks": checks_table(results),
        "preview": dg.MetadataValue.url(preview),
    }


def checks_table(results: Sequence[CheckResult]) -> dg.MetadataValue[Any]:
    rows = [
        f"| {r.check} | {'passed' if r.passed else 'FAILED'} | {r.median_ms:.1f} | "
        f"{r.slowest_ms:.1f} | {r.detail} |"
        for r in results
    ]
    head = ["| check | result | median ms | slowest ms | |", "|---|---|---|---|---|"]
    return dg.MetadataValue.md("\n".join([*head, *rows]))


def switch_metadata(done: Switched) -> Metadata:
    return {"traffic": f"{_slot(done.before)} → {_slot(done.after)}", **done.facts()}


def failure_metadata(error: GpError, last_words: Mapping[str, str]) -> Metadata:
    """What a person would look at next: the checks, and each replica's state and last lines."""
    metadata: Metadata = {
        f"replica {name}": dg.MetadataValue.md(f"```\n{words}\n```")
        for name, words in last_words.items()
    }
    if isinstance(error, GateClosed):
        metadata["verdict"] = str(error.report.verdict)
        metadata["findings"] = dg.MetadataValue.md(error.report.as_markdown())
    if isinstance(error, SmokeFailed):
        metadata["checks"] = checks_table(error.results)
    return metadata


def deadline_metadata(deadline: datetime | None) -> Metadata:
    if deadline is None:
        return {"old slot": "none: this was the first release"}
    return {"old slot stays warm until": dg.MetadataValue.timestamp(deadline)}


def _passed(results: Sequence[CheckResult]) -> str:
    slowest = max((result.slowest_ms for result in results), default=0.0)
    passed = sum(result.passed for result in results)
    return f"{passed} of {len(results)} checks; the slowest answer took {slowest:.0f} ms"


def _slot(slot: Slot | None) -> str:
    return slot.describe() if slot else "nothing"
