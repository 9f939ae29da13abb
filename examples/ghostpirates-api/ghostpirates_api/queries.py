"""The statements of this version, as its schema has the columns.

They name each column: a row that `SELECT *` returns changes under a running process when a
migration of its successor adds a column.
"""

# ruff: noqa: S608 (only this file's own names are put together; values are parameters)

from dataclasses import dataclass

from ghostpirates_api._release import SCHEMA

HAS_CREW = SCHEMA >= 2
TITLE = "name" if SCHEMA >= 4 else "title"

_COLUMNS = f"id, {TITLE} AS title" + (", crew" if HAS_CREW else "")
_NEWEST = "ORDER BY id DESC LIMIT 50"


@dataclass(frozen=True, slots=True)
class Queries:
    newest: str
    of_crew: str | None  # None: missions have no crew yet
    one: str
    add: str


QUERIES = Queries(
    newest=f"SELECT {_COLUMNS} FROM missions {_NEWEST}",
    of_crew=f"SELECT {_COLUMNS} FROM missions WHERE crew = %(crew)s {_NEWEST}"
    if HAS_CREW
    else None,
    one=f"SELECT {_COLUMNS} FROM missions WHERE id = %(id)s",
    add=f"INSERT INTO missions ({TITLE}, crew) VALUES (%(title)s, %(crew)s) RETURNING {_COLUMNS}"
    if HAS_CREW
    else f"INSERT INTO missions ({TITLE}) VALUES (%(title)s) RETURNING {_COLUMNS}",
)
