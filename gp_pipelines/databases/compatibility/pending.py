"""What a service's own migrate command has left to do: it is run on a shadow, and that compared.

Nothing is asked of the command but that it may be run again: whatever tool it is, on a database
that it has brought up to date before it changes nothing.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from gp_pipelines.databases.applied import applied_names
from gp_pipelines.databases.compatibility.migrations import ForeignCommand
from gp_pipelines.databases.compatibility.replay import replay
from gp_pipelines.databases.compatibility.shadow import APPLICATION, shadow_of
from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines.databases.schema_parts import REPLAY_SCHEMA, Part, all_parts
from gp_pipelines.databases.verification import Scratch
from gp_pipelines.model import Progress

SECONDS = 600.0
# What tools hold while they run; their rows say nothing about the schema.
LOCKS = ("migrations_lock", "knex_migrations_lock", "databasechangeloglock", "yoyo_lock")
_WRITTEN: LiteralString = r"""
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relname <> ALL(%s) AND pg_relation_size(c.oid) > 0
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', %s)
      AND n.nspname NOT LIKE 'pg\_%%'
"""
_ROWS = "SELECT count(*)::text || ' ' || sum(hashtextextended(t::text, 0)::numeric) FROM ONLY {} t"


@dataclass(frozen=True, slots=True)
class Changes:
    """What a migrate command does to a database. False: nothing."""

    versions: tuple[str, ...]  # for people: the migrations by name where the tool keeps a table
    objects: tuple[str, ...]  # which are not as they were: `column public.missions.crew`

    def __bool__(self) -> bool:
        return bool(self.versions)


@dataclass(frozen=True, slots=True)
class State:
    """All that a migration could change on a shadow."""

    applied: tuple[str, ...]
    parts: frozenset[Part]
    rows: Mapping[str, str]  # how many, and a sum over them, of each table that has any


def changed_by(
    live: Connector,
    command: ForeignCommand,
    *,
    scratch: Scratch,
    tools: PgTools,
    progress: Progress,
    timeout: float = SECONDS,
) -> Changes:
    """Run `command` on a shadow of the live database, which is only read: what does it change?

    `scratch` is as the check has it. A command that fails there has something left to do; what,
    the check says.

    Raises as the check does.
    """
    deadline = time.monotonic() + timeout
    with shadow_of(
        live, scratch=scratch, tools=tools, deadline=deadline, progress=progress
    ) as shadow:
        with shadow.database.session(APPLICATION) as session:
            before = state(session)
        progress("running the migrate command on the shadow")
        done = replay(shadow, command, deadline=deadline, progress=progress)
        if done.failure is not None:
            return Changes((f"unknown: on a shadow, {done.failure.error}",), ())
        with shadow.database.session(APPLICATION) as session:
            return changes(before, state(session))


def state(session: Session) -> State:
    """Of the shadow of `session`, which is a superuser's."""
    return State(applied_names(session), all_parts(session), dict(_rows(session)))


def changes(before: State, after: State) -> Changes:
    """From one state of a shadow to another."""
    parts = sorted({(part.kind, part.name) for part in before.parts ^ after.parts})
    tables = sorted(dict(before.rows.items() ^ after.rows.items()))
    objects = tuple(" ".join(each) for each in [*parts, *(("rows of", name) for name in tables)])
    applied = tuple(name for name in after.applied if name not in before.applied)
    if applied or not objects:
        return Changes(applied, objects)
    return Changes(("the schema changes" if parts else f"rows of {', '.join(tables)}",), objects)


def _rows(session: Session) -> Iterator[tuple[str, str]]:
    for schema, table in session.execute(_WRITTEN, [list(LOCKS), REPLAY_SCHEMA]).fetchall():
        name = sql.Identifier(str(schema), str(table))
        row = session.execute(sql.SQL(_ROWS).format(name)).fetchone()
        if row is not None and row[0] is not None:
            yield f"{schema}.{table}", str(row[0])
