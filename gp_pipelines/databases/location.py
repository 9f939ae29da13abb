"""In which database of its server a service has its data: its URL's own, until one was restored.

A restore overwrites nothing: it makes a new database beside the present one, and in the end this
pointer, kept on the target, says that the data are there.
"""

from dataclasses import asdict, dataclass
from urllib.parse import quote, urlsplit

from psycopg import conninfo

from gp_pipelines.targets.contract import Ledger

KIND = "database"
KEY = "current"


@dataclass(frozen=True, slots=True)
class Location:
    """`since` is the target's time, in ISO 8601; `restored_from` the id of a backup."""

    name: str
    since: str
    restored_from: str


def found(ledger: Ledger) -> Location | None:
    """None where nothing was ever restored: the data are in the database that the URL names."""
    document = ledger.get(KIND, KEY)
    return Location(**document) if document is not None else None


def moved(ledger: Ledger, location: Location) -> None:
    """From now on the service's data are there, for whatever is started or asked next."""
    ledger.put(KIND, KEY, asdict(location))


def url_at(url: str, name: str) -> str:
    """`url` with another database's name. A URL stays one: not every driver takes anything else."""
    parts = urlsplit(url)
    if not parts.scheme:
        return conninfo.make_conninfo(url, dbname=name)
    return parts._replace(path=f"/{quote(name, safe='')}").geturl()
