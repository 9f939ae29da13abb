"""What is asked of a rollback, and what it has come to: kept on the target, by undone release.

So that a retry, a second feed or a second Dagster finds what was done, and what was left half-way.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from gp_pipelines.targets.contract import Ledger

KIND = "rollbacks"
KEEP = 100


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """The alert that asks for a rollback, as far as it is kept: a stranger's text is not."""

    feed: str
    name: str
    fingerprint: str
    starts_at: str  # ISO 8601
    seen_at: str


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Undo `release_id`, if it is still live. Empty: whatever is live now."""

    release_id: str = ""
    reason: str = ""
    alert: AlertSeen | None = None  # None: a person asks
    now: bool = False  # a person's `--now`, which no other rollback stops

    @property
    def automatic(self) -> bool:
        return self.alert is not None


def began(
    ledger: Ledger, request: RollbackRequest, release_id: str, run_id: str, at: datetime
) -> None:
    """A run is at it: a further one, if one was at it before and did not end it."""
    before = ledger.get(KIND, release_id) or {}
    document = {
        "release_id": release_id,
        "run_id": run_id,
        "reason": request.reason,
        "alert": asdict(request.alert) if request.alert else None,
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
