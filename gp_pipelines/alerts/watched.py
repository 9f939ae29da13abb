"""Whether anybody watches a service's alerts, as the last one who looked has left it on the target.

Said by the webhook's process, not by the sensor: who says so must not die with it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gp_pipelines.targets.contract import Ledger

KIND = "restrictions"
KEY = "watched"
# It is said again at least this often; after a longer silence nobody knows.
AGAIN = timedelta(seconds=15)
SILENT = 4 * AGAIN


@dataclass(frozen=True, slots=True)
class Watched:
    """`why_not` is empty while every feed is read, and Dagster acts on them."""

    why_not: str
    at: datetime


def note(ledger: Ledger, why_not: str, at: datetime) -> None:
    ledger.put(KIND, KEY, {"why_not": why_not, "at": at.isoformat()})


def noted(ledger: Ledger) -> Watched | None:
    document = ledger.get(KIND, KEY)
    if document is None:
        return None
    return Watched(document["why_not"], datetime.fromisoformat(document["at"]))


def why_not_watched(ledger: Ledger, now: datetime) -> str:
    """Empty if the alerts are watched."""
    found = noted(ledger)
    if found is None:
        return "nobody has watched its alerts yet: `gp up` starts what does"
    if now - found.at > SILENT:
        return f"the webhook service, which says so, is silent since {found.at:%H:%M:%S} UTC"
    return found.why_not
