"""What the steps of a restore found, as Dagster shows it to people."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from gp_pipelines.restore.choice import Choice, Listed
from gp_pipelines.restore.engine import Repointed, Restored
from gp_pipelines.restrictions import Restoring
from gp_pipelines.smoke.checks import CheckResult

Metadata = dict[str, Any]


def backups_metadata(listed: Sequence[Listed]) -> Metadata:
    """Empty without any."""
    if not listed:
        return {}
    head = "| backup | age (h) | MB | rows | verified | rows written since |"
    rows = [
        f"| {each.backup.id} | {each.age_seconds / 3600:.1f} | {each.backup.size / 1e6:,.1f} | "
        f"{sum(each.backup.rows.values()):,} | {each.backup.proof or 'NO'} | {_lost(each)} |"
        for each in listed
    ]
    return {"backups": dg.MetadataValue.md("\n".join([head, "|---|---|---|---|---|---|", *rows]))}


def choice_metadata(choice: Choice, listed: Sequence[Listed]) -> Metadata:
    return {
        "backup": choice.backup.id,
        "rows written since, which are lost": _lost(choice.listed),
        "live": choice.live.describe(),
        "version that gets the data": choice.to_run.version,
        **backups_metadata(listed),
    }


def begun_metadata(begun: Restoring) -> Metadata:
    return {
        "operator": begun.by,
        "reason": begun.reason,
        "old database": begun.old_database,
        "new database": begun.new_database,
    }


def restored_metadata(done: Restored) -> Metadata:
    return {
        "read-only": done.old_database,
        "sessions ended": done.sessions_ended,
        "restored into": done.new_database,
        "compared": done.compared,
    }


def verified_metadata(results: Sequence[CheckResult]) -> Metadata:
    passed = sum(result.passed for result in results)
    return {"passed": f"{passed} of {len(results)} checks, with the restored data"}


def repointed_metadata(done: Repointed) -> Metadata:
    return {
        "traffic": f"{done.before.describe()} → {done.after.describe()}",
        "verified (ms)": round(done.seen.seconds * 1000, 1),
        "done": "; ".join(done.done),
    }


def logs_metadata(last_words: Mapping[str, str]) -> Metadata:
    return {
        f"replica {name}": dg.MetadataValue.md(f"```\n{words}\n```")
        for name, words in last_words.items()
    }


def _lost(each: Listed) -> str:
    return "unknown" if each.written_since is None else f"{each.written_since:,}"
