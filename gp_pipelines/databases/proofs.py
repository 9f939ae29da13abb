"""Which versions were proved to work, or not to, with which schema; kept on the target.

A release proves the live version on the schema that it made, and its own version on the same. A
rollback asks what was proved of the version that it goes back to.
"""

from dataclasses import dataclass
from datetime import datetime

from gp_pipelines.databases.contract import Schema
from gp_pipelines.model import Slot
from gp_pipelines.targets.contract import Ledger

KIND = "schemas"


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one version with one schema; `why` says how, as a sentence."""

    works: bool
    why: str
    at: datetime


def note(ledger: Ledger, slot: Slot, schema: Schema, works: bool, why: str, at: datetime) -> None:
    """What runs in `slot` works with `schema`, or does not. `why` says how that is known."""
    ledger.put(
        KIND,
        _key(slot, schema),
        {
            "version": slot.version,
            "schema": schema.name,
            "works": works,
            "why": why,
            "at": at.isoformat(),
        },
    )


def found(ledger: Ledger, slot: Slot, schema: Schema) -> Proof | None:
    """None: nobody has tried."""
    document = ledger.get(KIND, _key(slot, schema))
    if document is None:
        return None
    at = datetime.fromisoformat(document["at"])
    return Proof(bool(document["works"]), str(document["why"]), at)


def works(ledger: Ledger, slot: Slot, schema: Schema) -> bool | None:
    """None: nobody has tried."""
    proof = found(ledger, slot, schema)
    return proof.works if proof else None


def reason(ledger: Ledger, slot: Slot, schema: Schema) -> str:
    """How `works` is known, as a sentence; empty if nobody has tried."""
    proof = found(ledger, slot, schema)
    return proof.why if proof else ""


def _key(slot: Slot, schema: Schema) -> str:
    digest = slot.digest.removeprefix("sha256:")[:24]
    return f"{digest}-{slot.config_hash}-{schema.fingerprint}"
