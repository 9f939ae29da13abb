"""What was executed on the shadow, whoever sent it: from the server's log and its statistics.

The log has each statement that a client sent, as it was written and in order; but of a DO block or
a function only the call. The statistics have what those executed, with `$1` for its constants.
"""

import json
import re
import secrets
import time
from dataclasses import dataclass
from types import TracebackType
from typing import LiteralString, Self

from psycopg import errors, sql

from gp_pipelines.databases.compatibility.recorder import SCHEMA
from gp_pipelines.databases.compatibility.shadow import DATABASE, Shadow
from gp_pipelines.errors import StepFailed

LOG_SECONDS = 5.0  # until what was executed last is in the log
LOOK_SECONDS = 0.02
_STATEMENT = re.compile(r"(?:statement|execute [^:]*): (.*)", re.DOTALL)
# But for savepoints: `ROLLBACK TO` ends no transaction.
_CONTROL = re.compile(
    r"\s*(BEGIN|START(?=\s+TRANSACTION)|COMMIT|END|ABORT|ROLLBACK(?!\s+(\w+\s+)?TO\b))\b(?!\s+PREPARED)",
    re.IGNORECASE,
)
_LOG: LiteralString = "SELECT pg_current_logfile('jsonlog')"
_READ: LiteralString = "SELECT pg_read_file(%s, %s, 1 << 29)"
_NESTED: LiteralString = """
    SELECT s.query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = %s AND NOT s.toplevel AND s.query !~ %s
"""
_FORGET: LiteralString = """
    SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = %s
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement that a client sent."""

    text: str
    in_transaction: bool


class Capture:
    """Everything that is executed on the shadow within the `with` block."""

    def __init__(self, shadow: Shadow) -> None:
        self._shadow = shadow
        self._log = ""
        self._offset = 0

    def __enter__(self) -> Self:
        with self._shadow.server.session() as session:
            session.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            session.execute(_FORGET, [DATABASE])
            (log,) = session.execute(_LOG).fetchone() or (None,)
            if log is None:
                raise StepFailed(
                    "The scratch server does not log what is executed.",
                    state="Nothing was changed.",
                    advice="Start it with the settings that a shadow needs.",
                )
            self._log = str(log)
            row = session.execute("SELECT size FROM pg_stat_file(%s)", [log]).fetchone()
            self._offset = int(str(row[0])) if row else 0
            session.execute(_log_statements("all"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._shadow.server.session() as session:
            session.execute(_log_statements("none"))

    def top_level(self) -> tuple[Sent, ...]:
        """What clients sent, in order, but for our own sessions."""
        mark = f"gp_replay {secrets.token_hex(8)}"
        with self._shadow.database.session() as session:
            session.execute(sql.SQL("SELECT {}").format(sql.Literal(mark)))
        deadline = time.monotonic() + LOG_SECONDS
        while mark not in (text := self._read()) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        return tuple(_statements(text))

    def nested(self) -> tuple[str, ...]:
        """What functions and DO blocks executed."""
        with self._shadow.server.session() as session:
            rows = session.execute(_NESTED, [DATABASE, f"{SCHEMA}|pg_event_trigger_"])
            return tuple(str(query) for (query,) in rows)

    def _read(self) -> str:
        with self._shadow.server.session() as session:
            try:
                row = session.execute(_READ, [self._log, self._offset]).fetchone()
            except errors.UntranslatableCharacter:
                return ""
        return str(row[0]) if row else ""


def _log_statements(which: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} SET log_statement = {}").format(
        sql.Identifier(DATABASE), sql.Literal(which)
    )


def _statements(log: str) -> list[Sent]:
    """Without those that begin and end transactions."""
    found = []
    in_transaction: dict[object, bool] = {}  # by session
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # the last line may not be whole yet
            continue
        match = _STATEMENT.match(entry.get("message", ""))
        ours = entry.get("application_name", "").startswith("gp-")
        if not match or entry.get("dbname") != DATABASE or ours:
            continue
        session, control = entry.get("session_id"), _CONTROL.match(match[1])
        if control:
            in_transaction[session] = control[1].upper() in ("BEGIN", "START")
        else:
            found.append(Sent(match[1], in_transaction.get(session, False)))
    return found
