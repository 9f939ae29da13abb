"""The restores of a service as the target remembers them, by the run that was asked for each."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from gp_pipelines.targets.contract import Ledger

KIND = "restores"
KEEP = 100


@dataclass(frozen=True, slots=True)
class Restore:
    """What was asked, and what came of it. Times are the target's, in ISO 8601."""

    run_id: str
    backup: str
    version: str  # that works with the restored data
    old_database: str
    new_database: str
    by: str
    reason: str
    began_at: str
    outcome: str | None = None  # done or failed; None: a run is at it, or died
    error: str = ""
    ended_at: str | None = None


def began(ledger: Ledger, restore: Restore) -> None:
    _put(ledger, restore)
    for old in newest_first(ledger)[KEEP:]:
        ledger.delete(KIND, old.run_id)


def ended(ledger: Ledger, run_id: str, outcome: str, at: datetime, error: str = "") -> None:
    """Nothing happens where it has been said."""
    before = found(ledger, run_id)
    if before is not None and before.outcome is None:
        _put(ledger, replace(before, outcome=outcome, error=error, ended_at=at.isoformat()))


def found(ledger: Ledger, run_id: str) -> Restore | None:
    document = ledger.get(KIND, run_id)
    return Restore(**document) if document is not None else None


def newest_first(ledger: Ledger) -> list[Restore]:
    each = [Restore(**document) for document in ledger.list(KIND).values()]
    return sorted(each, key=lambda restore: restore.began_at, reverse=True)


def _put(ledger: Ledger, restore: Restore) -> None:
    ledger.put(KIND, restore.run_id, asdict(restore))
