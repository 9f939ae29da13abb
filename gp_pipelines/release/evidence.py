"""What a release has proved so far, kept on the target and bound to what its version is.

Evidence of another digest or configuration counts for nothing, even under the same release id.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gp_pipelines.errors import Refused
from gp_pipelines.model import Artifact, Evidence, Plan
from gp_pipelines.targets.contract import Ledger

KIND = "evidence"
BEFORE_SWITCH = ("build", "backup", "migrate", "deploy_inactive", "smoke")


def leave(
    ledger: Ledger,
    step: str,
    plan: Plan,
    artifact: Artifact,
    at: datetime,
    facts: Mapping[str, Any],
) -> None:
    """Note that `step` was passed."""
    document = ledger.get(KIND, plan.release_id) or {}
    document[step] = {
        "digest": artifact.digest,
        "config_hash": plan.config_hash,
        "at": at.isoformat(),
        "facts": dict(facts),
    }
    ledger.put(KIND, plan.release_id, document)


def found(ledger: Ledger, release_id: str) -> dict[str, Evidence]:
    """Everything that a release has left, by step."""
    return {
        step: Evidence(
            step=step,
            release_id=release_id,
            digest=left["digest"],
            config_hash=left["config_hash"],
            at=datetime.fromisoformat(left["at"]),
            facts=left["facts"],
        )
        for step, left in (ledger.get(KIND, release_id) or {}).items()
    }


def require(ledger: Ledger, plan: Plan, artifact: Artifact, steps: tuple[str, ...]) -> None:
    """Raise `Refused` unless each of `steps` was passed by this very version in this release."""
    left = found(ledger, plan.release_id)
    for step in steps:
        evidence = left.get(step)
        if evidence is None:
            problem = f"There is no evidence of {step}"
        elif (evidence.digest, evidence.config_hash) != (artifact.digest, plan.config_hash):
            problem = f"The evidence of {step} is of another artifact or configuration"
        else:
            continue
        raise Refused(
            f"{problem} for release #{plan.number} of {plan.service} {plan.version}.",
            state="Traffic is where it was.",
            advice="Run the release again from that step.",
        )
