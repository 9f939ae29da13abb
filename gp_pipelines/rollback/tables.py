"""What the steps of a rollback found, as Dagster shows it to people."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.model import Holder, Slot
from gp_pipelines.rollback import engine
from gp_pipelines.rollback.assessment import Already, Assessment, schema_facts
from gp_pipelines.rollback.attempt import RollbackAttempt
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines.targets.contract import SlotStatus

Metadata = dict[str, Any]


def already_metadata(found: Already) -> Metadata:
    by = {"rolled back by": lineage.run_link(found.run_id)} if found.run_id else {}
    return {"outcome": "already", "why": found.why, **by}


def assessment_metadata(found: Assessment, preempted: Holder | None) -> Metadata:
    return {
        "undoes": found.undone.describe(),
        "release": lineage.run_link(found.release_id),
        "goes back to": found.back_to.describe(),
        "way": found.way.value,
        **schema_facts(found.schema, found.proved, "the old version is"),
        **({"takes the fence from": preempted.describe()} if preempted else {}),
    }


def restored_metadata(status: SlotStatus | None) -> Metadata:
    if status is None:
        return {"restored": "nothing: it was warm, and proved"}
    return {"slot": status.slot.name, "ready": f"{status.ready}/{status.wanted}"}


def switched_metadata(done: RolledBack) -> Metadata:
    return {
        "traffic": f"{done.before.describe()} → {done.after.describe()}",
        "moved at": dg.MetadataValue.timestamp(done.moved_at),
        "first old answer (ms)": round(done.seen.first_ms or 0.0, 1),
        "verified (ms)": round(done.seen.seconds * 1000, 1),
        "verified": "yes" if done.verified else f"NO: {done.seen.detail}",
    }


def undone_metadata(undone: Slot, logs: Mapping[str, str]) -> Metadata:
    return {
        "quarantined": f"{undone.version} ({undone.digest}, configuration {undone.config_hash})",
        **{
            f"log of {name}": dg.MetadataValue.md(f"```\n{text}\n```")
            for name, text in logs.items()
        },
    }


def record_metadata(
    attempt: RollbackAttempt, found: Assessment, done: RolledBack, left: Sequence[str]
) -> Metadata:
    return {
        **engine.facts(attempt, found, done),
        "release": lineage.run_link(found.release_id),
        "ended beside it": "; ".join(left) or "nothing was left",
    }
