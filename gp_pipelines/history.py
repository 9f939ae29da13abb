"""The releases of a service as the target remembers them, readable when Dagster is down."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gp_pipelines.model import Artifact, Plan
from gp_pipelines.targets.contract import Ledger

KIND = "releases"
KEEP = 100


def began(ledger: Ledger, plan: Plan, run_id: str) -> None:
    """A release was planned. Forgets the oldest ones beyond `KEEP`."""
    ledger.put(
        KIND,
        plan.release_id,
        {
            "number": plan.number,
            "release_id": plan.release_id,
            "run_id": run_id,
            "version": plan.version,
            "version_before": plan.live.version if plan.live else None,
            "color": plan.color,
            "actor": plan.actor,
            "outcome": None,
            "reason": "",
            "began_at": _now(),
            "ended_at": None,
        },
    )
    for document in newest_first(ledger)[KEEP:]:
        ledger.delete(KIND, document["release_id"])


def built(ledger: Ledger, plan: Plan, artifact: Artifact) -> None:
    """The release knows now what its version is."""
    _update(ledger, plan.release_id, digest=artifact.digest, config_hash=plan.config_hash)


def judged(ledger: Ledger, release_id: str, report: Mapping[str, Any], accepted: str) -> None:
    """What the gate found in its migrations, and why that was accepted, if it was."""
    _update(ledger, release_id, judged={**report, "accepted": accepted})


def ended(ledger: Ledger, release_id: str, outcome: str, reason: str = "") -> None:
    """`outcome` is released, waiting, failed, refused, rejected or rolled_back."""
    _update(ledger, release_id, outcome=outcome, reason=reason, ended_at=_now())


def resumed(ledger: Ledger, release_id: str, run_id: str) -> None:
    """A later run goes on with the release: its end is open again."""
    _update(ledger, release_id, run_id=run_id, outcome=None, reason="", ended_at=None)


def open_ended(ledger: Ledger) -> list[dict[str, Any]]:
    """Those that are under way, or wait to be promoted."""
    return [d for d in newest_first(ledger) if d["outcome"] in (None, "waiting")]


def switched(ledger: Ledger, release_id: str, facts: Mapping[str, Any]) -> None:
    """How long the switch took, and what it lost."""
    _update(ledger, release_id, switch=dict(facts))


def newest_first(ledger: Ledger) -> list[dict[str, Any]]:
    return sorted(ledger.list(KIND).values(), key=lambda d: -d["number"])


def _update(ledger: Ledger, release_id: str, **changes: Any) -> None:
    document = ledger.get(KIND, release_id)
    if document is not None:
        ledger.put(KIND, release_id, {**document, **changes})


def _now() -> str:
    return datetime.now(UTC).isoformat()
