"""One migration, and what is known about it: a small YAML file in `cases/`.

why        the reason for the verdict, in a sentence
expected   compatible, needs_approval or breaking
schema     what is there before (run by the superuser), with a few rows
migration  one file's text, or several by their names
queries    the old version's: `sql`, the `values` of its parameters as SQL expressions, and
           what becomes of it after the migration: nothing (it works as before), `fails`,
           `fails_in_open_sessions`, or `loses` (it finds or writes fewer rows)
waits      a query of the old version, with its values in it, that waits while the migration is
           at work, where that is what the finding is about
role       which the old version runs as (app)
migrated_by  which role migrates (owner)
large_table_mb  from which size a table is large (100)
unknown_queries  the check gets none of them, as if nobody had listed them
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Query:
    sql: str
    values: tuple[str, ...] = ()
    fails: bool = False
    fails_in_open_sessions: bool = False
    loses: bool = False

    @property
    def breaks(self) -> bool:
        return self.fails or self.fails_in_open_sessions or self.loses


@dataclass(frozen=True)
class Case:
    name: str
    why: str
    expected: str
    schema: str
    files: dict[str, str]
    queries: tuple[Query, ...]
    role: str = "app"
    migrated_by: str = "owner"
    large_table_mb: int = 100
    waits: str = ""
    cannot_connect: bool = False
    unknown_queries: bool = False

    @property
    def breaks(self) -> bool:
        return self.cannot_connect or any(query.breaks for query in self.queries)


def cases() -> list[Case]:
    return [_case(path) for path in sorted(CASES.glob("*.yaml"))]


def _case(path: Path) -> Case:
    found = yaml.safe_load(path.read_text())
    migration = found.pop("migration")
    queries = found.pop("queries", [])
    return Case(
        name=path.stem,
        files=migration if isinstance(migration, dict) else {"1_change.sql": migration},
        queries=tuple(
            Query(**{**each, "values": tuple(map(str, each.get("values", ())))}) for each in queries
        ),
        **found,
    )
