"""What a database holds, as far as a backup is compared by it: relations, rows and sequences."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from gp_pipelines.commands import REPORT_SECONDS
from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.errors import StepFailed

# What belongs to an extension comes with the extension, and is in no dump.
_USERS_OWN = """
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('information_schema', 'pg_catalog', 'pg_toast')
      AND c.relpersistence <> 't'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
"""
_RELATIONS = f"""
    SELECT format('%I.%I', n.nspname, c.relname), c.relkind::text, n.nspname, c.relname
    {_USERS_OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1
"""
_COUNT = "SELECT count(*) FROM ONLY {}"
_NEXT_VALUE = """
    SELECT CASE WHEN q.is_called THEN q.last_value::numeric + s.seqincrement
                ELSE q.last_value END, s.seqcycle
    FROM {} q, pg_sequence s WHERE s.seqrelid = {}::regclass
"""
_COUNTED_UP = """
    SELECT format('%I.%I', sn.nspname, s.relname), tn.nspname, t.relname, a.attname
    FROM pg_depend d
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_namespace sn ON sn.oid = s.relnamespace
    JOIN pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0 AND NOT q.seqcycle
    JOIN pg_class t ON t.oid = d.refobjid
    JOIN pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.deptype IN ('a', 'i') AND a.atttypid IN ('int2'::regtype, 'int4'::regtype,
                                                     'int8'::regtype, 'numeric'::regtype)
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or sequence of the users' own."""

    qualified: str  # as SQL writes it: quoted where it must be
    kind: str  # of pg_class.relkind
    schema: str
    name: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def relations(session: Session) -> tuple[Relation, ...]:
    """Every relation that a dump of the database holds."""
    return tuple(Relation(*map(str, row)) for row in session.execute(_RELATIONS))


def next_values(session: Session, among: tuple[Relation, ...]) -> dict[str, int]:
    """What each sequence would give next. One that starts over has no order: it is left out.

    Sequences are in no snapshot: they are always read as they are now.
    """
    found = {}
    for relation in among:
        if relation.kind == "S":
            query = sql.SQL(_NEXT_VALUE).format(
                relation.identifier, sql.Literal(relation.qualified)
            )
            row = session.execute(query).fetchone()
            if row is not None and not row[1]:
                found[relation.qualified] = int(str(row[0]))
    return found


def largest_values(session: Session) -> dict[str, int]:
    """The largest value of the column that each sequence counts up for; of none without rows."""
    found = {}
    for sequence, schema, table, column in session.execute(_COUNTED_UP).fetchall():
        query = sql.SQL("SELECT max({})::numeric FROM {}").format(
            sql.Identifier(str(column)), sql.Identifier(str(schema), str(table))
        )
        row = session.execute(query).fetchone()
        if row is not None and row[0] is not None:
            found[str(sequence)] = int(str(row[0]))
    return found


class RowCount:
    """Counts the rows of tables in a thread and a session of its own.

    So a dump can run meanwhile, and the counting of a large table is neither silent nor beyond
    interruption. Leaving the `with` block ends it.
    """

    def __init__(
        self, connector: Connector, among: tuple[Relation, ...], snapshot: str | None = None
    ) -> None:
        self._connector = connector
        self._tables = tuple(relation for relation in among if relation.kind == "r")
        self._snapshot = snapshot
        self._counted: dict[str, int] = {}
        self._stopped = threading.Event()
        self._session: Session | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="row-count")
        self._future = self._pool.submit(self._count)

    def rows(self, deadline: float, progress: Callable[[str], None]) -> Mapping[str, int]:
        """The rows of each table, once all are counted.

        Raises `StepFailed` if that is not before `deadline`, and what the session raised.
        """
        while not wait([self._future], REPORT_SECONDS).done:
            progress(f"counting rows: {len(self._counted)}/{len(self._tables)} tables")
            if time.monotonic() >= deadline:
                raise StepFailed(
                    f"Counting the rows of {self._connector.describe()} took too long: "
                    f"{len(self._counted)} of {len(self._tables)} tables in the time of the backup."
                )
        return self._future.result()

    def __enter__(self) -> "RowCount":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        while self._session is not None and not self._future.done():
            with suppress(psycopg.Error):  # it ended just now
                self._session.cancel_safe(timeout=REPORT_SECONDS)
            wait([self._future], 0.1)
        self._pool.shutdown()

    def _count(self) -> dict[str, int]:
        with self._connector.session() as session:
            self._session = session
            session.execute("SET row_security = off")  # an error rather than a part of the rows
            with session.transaction():
                session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                if self._snapshot is not None:
                    session.execute(
                        sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._snapshot))
                    )
                for table in self._tables:
                    if self._stopped.is_set():
                        break
                    query = sql.SQL(_COUNT).format(table.identifier)
                    row = session.execute(query).fetchone()
                    self._counted[table.qualified] = int(str(row[0])) if row else 0
        return self._counted
