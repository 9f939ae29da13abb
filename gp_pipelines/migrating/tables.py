"""What became of a database, as Dagster shows it to people."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from gp_pipelines.databases.compatibility.finding import Report, Verdict
from gp_pipelines.databases.contract import Backup
from gp_pipelines.migrating.apply import Migrated
from gp_pipelines.migrating.gate import Judgement
from gp_pipelines.smoke.checks import CheckResult

Metadata = dict[str, Any]
_WORKS = {True: "yes", False: "NO", None: "not tried"}


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
        metadata["the live version on the new schema"] = passed(done.live_checks)
        metadata["its checks"] = checks_table(done.live_checks)
    return metadata


def judgement_metadata(judgement: Judgement) -> Metadata:
    rows = [
        f"| {each.slot.describe()} | {_WORKS[each.works]} | {each.why} |"
        for each in judgement.rehearsed
    ]
    head = ["| version | works | how it is known |", "|---|---|---|"]
    return {
        **report_metadata(judgement.report),
        f"proved with schema {judgement.schema.name}": dg.MetadataValue.md(
            "\n".join([*head, *rows])
        ),
    }


def report_metadata(report: Report) -> Metadata:
    return {
        "verdict": str(report.verdict),
        "findings": dg.MetadataValue.md(report.as_markdown()),
    }


def checks_table(results: Sequence[CheckResult]) -> dg.MetadataValue[Any]:
    rows = [
        f"| {r.check} | {'passed' if r.passed else 'FAILED'} | {r.median_ms:.1f} | "
        f"{r.slowest_ms:.1f} | {r.detail} |"
        for r in results
    ]
    head = ["| check | result | median ms | slowest ms | |", "|---|---|---|---|---|"]
    return dg.MetadataValue.md("\n".join([*head, *rows]))


def passed(results: Sequence[CheckResult]) -> str:
    slowest = max((result.slowest_ms for result in results), default=0.0)
    passed = sum(result.passed for result in results)
    return f"{passed} of {len(results)} checks; the slowest answer took {slowest:.0f} ms"
