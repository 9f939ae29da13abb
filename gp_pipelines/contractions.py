"""What became of the contract phase of each release, kept on the target."""

from dataclasses import asdict, dataclass

from gp_pipelines.targets.contract import Ledger

KIND = "contractions"


@dataclass(frozen=True, slots=True)
class Contraction:
    """`at` is the target's time, in ISO 8601; `held` is why it waits for a person, if it does."""

    version: str
    run_id: str
    at: str
    held: str = ""


def found(ledger: Ledger, release_id: str) -> Contraction | None:
    """None: nobody has looked at it yet."""
    document = ledger.get(KIND, release_id)
    return Contraction(**document) if document is not None else None


def note(ledger: Ledger, release_id: str, contraction: Contraction) -> None:
    ledger.put(KIND, release_id, asdict(contraction))
