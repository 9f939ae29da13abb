"""The rollbacks of a service as the target remembers them, by the release that was undone.

So that a retry, a second feed or a second Dagster finds what was done, and what was left half-way.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gp_pipelines.targets.contract import Ledger

KIND = "rollbacks"
KEEP = 100


def began(
    ledger: Ledger,
    release_id: str,
    run_id: str,
    at: datetime,
    *,
    reason: str,
    alert: Mapping[str, Any] | None,
) -> None:
    """A run is at it: a further one, if one was at it before and did not end it.

    `alert` is what asks for it; None: a person.
    """
    before = ledger.get(KIND, release_id) or {}
    document = {
        "release_id": release_id,
        "run_id": run_id,
        "reason": reason,
        "alert": alert,
        "asked_at": before.get("asked_at", at.isoformat()),
        "began_at": at.isoformat(),
        "attempts": before.get("attempts", 0) + 1,
        "outcome": None,
        "error": "",
    }
    ledger.put(KIND, release_id, {**before, **document})
    for old in newest_first(ledger)[KEEP:]:
        ledger.delete(KIND, old["release_id"])


def noted(ledger: Ledger, release_id: str, **facts: Any) -> None:
    document = ledger.get(KIND, release_id)
    if document is not None:
        ledger.put(KIND, release_id, {**document, **facts})


def ended(ledger: Ledger, release_id: str, outcome: str, at: datetime, error: str = "") -> None:
    """`outcome` is done, unverified (traffic is back, nobody could verify it), failed, refused.

    A refusal before anything was begun is kept, too: no alert is to ask for it again and again.
    """
    before = ledger.get(KIND, release_id) or {
        "release_id": release_id,
        "run_id": None,
        "asked_at": at.isoformat(),
        "attempts": 1,
    }
    news = {"outcome": outcome, "error": error, "ended_at": at.isoformat()}
    ledger.put(KIND, release_id, {**before, **news})


def found(ledger: Ledger, release_id: str) -> Mapping[str, Any] | None:
    return ledger.get(KIND, release_id)


def newest_first(ledger: Ledger) -> list[dict[str, Any]]:
    return sorted(ledger.list(KIND).values(), key=lambda d: d["asked_at"], reverse=True)
