"""A dump is a backup once it has been restored and holds what the database held.

It is restored into a scratch server, never into the one that it came from: a restore costs that
server's disk and memory as much as serving does, its roles may not be allowed to create a database
at all, and a killed run would leave a second copy of the data in production.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from psycopg import errors, sql

from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.databases.contents import (
    Relation,
    RowCount,
    largest_values,
    next_values,
    relations,
)
from gp_pipelines.databases.encoding import Encoding, create_database
from gp_pipelines.databases.pg_tools import PgTools, in_bytes, jobs_for
from gp_pipelines.errors import StepFailed
from gp_pipelines.model import Progress

Scratch = Callable[[], AbstractContextManager[str]]
SCRATCH_DATABASE = "gp_verify"
SHOWN = 10  # differences


@dataclass(frozen=True, slots=True)
class Roles:
    """Who owns things and is granted things in the dump. No passwords."""

    superuser: Mapping[str, bool]  # by name


@dataclass(frozen=True, slots=True)
class Contents:
    """What the dump must hold."""

    relations: tuple[Relation, ...]
    rows: Mapping[str, int]
    sequences_before: Mapping[str, int]  # before the dump began, and
    sequences_after: Mapping[str, int]  # after: sequences are in no snapshot
    roles: Roles
    encoding: Encoding
    size: int  # bytes of the database
    written: Mapping[str, int]  # rows written to each table since the server counts them
    extensions: frozenset[str]


def read_roles(session: Session) -> Roles:
    rows = session.execute(
        "SELECT rolname, rolsuper FROM pg_roles WHERE NOT starts_with(rolname, 'pg_')"
    )
    return Roles({str(name): bool(superuser) for name, superuser in rows})


def read_extensions(session: Session) -> frozenset[str]:
    return frozenset(str(name) for (name,) in session.execute("SELECT extname FROM pg_extension"))


def verify(
    dump: Path,
    contents: Contents,
    *,
    scratch: Scratch,
    tools: PgTools,
    deadline: float,
    progress: Progress,
) -> str:
    """Restore `dump` into a scratch server and compare it with `contents`.

    Returns what was proved, in a sentence. Raises `StepFailed` with the differences.
    """
    progress("starting a scratch server to restore the dump into")
    with scratch() as url:
        server = Connector(lambda: url, advice="Run the release again.")
        with server.session() as session:
            _create_roles(session, contents.roles)
            create_database(session, SCRATCH_DATABASE, contents.encoding)
        restored = server.to(SCRATCH_DATABASE)
        with restored.session() as session:
            tools.restore(
                dump,
                database=SCRATCH_DATABASE,
                jobs=jobs_for(contents.size),
                environment=restored.environment(session, "gp-verify"),
                secrets=restored.secrets(),
                deadline=deadline,
                progress=progress,
                done=lambda: f"{in_bytes(_size(session))} of {in_bytes(contents.size)} restored",
            )
            found = relations(session)
            with RowCount(restored, found) as count:
                rows = count.rows(deadline, progress)
            following = next_values(session, found)
            differences = [
                *_missing(contents.relations, found),
                *_other_extensions(contents.extensions, read_extensions(session)),
                *_other_rows(contents.rows, rows),
                *_other_sequences(contents, following),
                *_sequences_behind(contents, following, largest_values(session)),
            ]
    if differences:
        more = len(differences) - SHOWN
        shown = [*differences[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
        raise StepFailed("The restored dump is not what the database holds: " + "; ".join(shown))
    return (
        f"restored into a scratch server; {len(rows)} tables with {sum(rows.values()):,} rows and "
        f"{len(contents.sequences_after)} sequences are the same"
    )


def _create_roles(session: Session, roles: Roles) -> None:
    """Owners and grants are part of the dump: restored, they name roles that must be there."""
    for name, superuser in roles.superuser.items():
        kind = sql.SQL("SUPERUSER" if superuser else "NOSUPERUSER")
        try:
            session.execute(sql.SQL("CREATE ROLE {} NOLOGIN {}").format(sql.Identifier(name), kind))
        except errors.DuplicateObject:
            continue


def _size(session: Session) -> int:
    row = session.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(str(row[0])) if row else 0


def _missing(expected: tuple[Relation, ...], found: tuple[Relation, ...]) -> list[str]:
    return [
        *(f"{relation.qualified} is missing" for relation in expected if relation not in found),
        *(f"{relation.qualified} is new" for relation in found if relation not in expected),
    ]


def _other_extensions(expected: frozenset[str], found: frozenset[str]) -> list[str]:
    return [f"the extension {name} is missing" for name in sorted(expected - found)]


def _other_rows(expected: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    return [
        f"{table} has {found[table]:,} rows instead of {rows:,}"
        for table, rows in expected.items()
        if table in found and found[table] != rows
    ]


def _other_sequences(contents: Contents, found: Mapping[str, int]) -> list[str]:
    """The dump read each sequence at some moment between the two readings."""
    differences = []
    for name, before in contents.sequences_before.items():
        after = contents.sequences_after.get(name, before)
        low, high = sorted((before, after))
        if name in found and not low <= found[name] <= high:
            between = f"{low}" if low == high else f"{low} to {high}"
            differences.append(f"{name} would give {found[name]} next instead of {between}")
    return differences


def _sequences_behind(
    contents: Contents, found: Mapping[str, int], largest: Mapping[str, int]
) -> list[str]:
    """Those that would give a number which their column has already, and did not before the dump.

    Rows are counted in a snapshot; sequences are in none.
    """
    return [
        f"{name} would give {found[name]} next, and its column holds {highest} already"
        for name, highest in largest.items()
        if name in found and found[name] <= highest < contents.sequences_before.get(name, highest)
    ]
