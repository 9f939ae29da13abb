"""What a watch of the entrance found wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """The condition holds now. `onset` is when the first failure of those that it rests on was
    seen, by the target's clock."""

    what: str
    onset: datetime
    facts: Mapping[str, str]
