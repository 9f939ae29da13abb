"""The rollbacks of a service as the target remembers them, by the release that was undone.

So that a retry, a second feed or a second Dagster finds what was done, and what was left half-way.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from gp_pipelines.targets.contract import Ledger

KIND = "rollbacks"
KEEP = 100


@dataclass(frozen=True, slots=True)
class Rollback:
    """What was asked, and what came of it. Times are the target's, in ISO 8601."""

    release_id: str  # that is undone
    run_id: str  # the last one that was at it
    asked_at: str
    began_at: str  # by the last run
    reason: str = ""
    alert: Mapping[str, str] | None = None  # None: a person asks
    attempts: int = 1
    outcome: str | None = None  # done, unverified, failed or refused; None: a run is at it, or died
    error: str = ""
    ended_at: str | None = None
    timeline: Mapping[str, str] = field(default_factory=dict)  # when what had happened

    @property
    def is_done(self) -> bool:
        """Traffic is on the old version."""
        return self.outcome in ("done", "unverified")


def began(
    ledger: Ledger,
    release_id: str,
    run_id: str,
    at: datetime,
    *,
    reason: str,
    alert: Mapping[str, str] | None,
) -> None:
    """A run is at it: a further one, if one was at it before and did not end it."""
    now = at.isoformat()
    before = found(ledger, release_id)
    begun = Rollback(release_id, run_id, now, now, reason, alert)
    if before is not None:
        begun = replace(begun, asked_at=before.asked_at, attempts=before.attempts + 1)
    _put(ledger, begun)
    for old in newest_first(ledger)[KEEP:]:
        ledger.delete(KIND, old.release_id)


def moved(ledger: Ledger, release_id: str, timeline: Mapping[str, str]) -> None:
    """Traffic is on the old version."""
    before = found(ledger, release_id)
    if before is not None:
        _put(ledger, replace(before, timeline=timeline))


def ended(ledger: Ledger, release_id: str, outcome: str, at: datetime, error: str = "") -> None:
    """`outcome` is done, unverified (traffic is back, nobody could verify it), failed, refused."""
    before = found(ledger, release_id)
    if before is not None:
        _put(ledger, replace(before, outcome=outcome, error=error, ended_at=at.isoformat()))


def found(ledger: Ledger, release_id: str) -> Rollback | None:
    document = ledger.get(KIND, release_id)
    return Rollback(**document) if document is not None else None


def newest_first(ledger: Ledger) -> list[Rollback]:
    each = [Rollback(**document) for document in ledger.list(KIND).values()]
    return sorted(each, key=lambda rollback: rollback.asked_at, reverse=True)


def _put(ledger: Ledger, rollback: Rollback) -> None:
    ledger.put(KIND, rollback.release_id, asdict(rollback))
