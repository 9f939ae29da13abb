"""What was done to a service's traffic, kept on the target until Dagster has it in its history.

An event is written before the write that concludes it (a confirmation, a forgotten slot) and under
a key that is the same for whoever concludes it, so that a crash in between loses and doubles
nothing.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from gp_pipelines.model import Holder, Slot
from gp_pipelines.targets.contract import Ledger

KIND = "events"


@dataclass(frozen=True, slots=True)
class Event:
    """`what` is switch, switch_back, rollback, restore, retire, repair, contract, or what a person
    has put upon the service: freeze, unfreeze, snooze, watch, quarantine, lift. recorded_by is a
    Dagster run's id.
    """

    key: str
    what: str
    at: datetime
    before: str | None  # versions, as people read them
    after: str | None
    release_id: str
    holder: Holder
    reason: str = ""
    facts: dict[str, Any] | None = None
    recorded_by: str | None = None


def write(ledger: Ledger, event: Event) -> None:
    """Leave `event`, unless it is there: then its facts, and who recorded it, stay."""
    if ledger.get(KIND, event.key) is not None:
        return
    ledger.put(KIND, event.key, {**asdict(event), "at": event.at.isoformat()})


def add_facts(ledger: Ledger, key: str, facts: dict[str, Any]) -> None:
    """Add what is known only after the event was written (it is written before its end)."""
    document = ledger.get(KIND, key)
    if document is not None:
        ledger.put(KIND, key, {**document, "facts": {**(document["facts"] or {}), **facts}})


def unrecorded(ledger: Ledger) -> list[Event]:
    """Those that no Dagster run has materialized yet, oldest first."""
    found = [_read(document) for document in ledger.list(KIND).values()]
    return sorted((e for e in found if e.recorded_by is None), key=lambda e: e.at)


def recorded(ledger: Ledger, key: str, run_id: str) -> None:
    """Note that `run_id` has materialized the event, so that nobody does it again."""
    document = ledger.get(KIND, key)
    if document is not None:
        ledger.put(KIND, key, {**document, "recorded_by": run_id})


def key(what: str, at: datetime, release_id: str) -> str:
    return f"{at:%Y%m%dT%H%M%S%f}-{what}-{release_id[:8]}"


def describe(slot: Slot | None) -> str | None:
    return slot.describe() if slot else None


def _read(document: dict[str, Any]) -> Event:
    holder = Holder(**document["holder"])
    at = datetime.fromisoformat(document["at"])
    return Event(**{**document, "holder": holder, "at": at})
