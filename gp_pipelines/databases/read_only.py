"""A database that nobody may write to any more, though it goes on answering; and back.

The setting is a default that each new session begins with, so the sessions that are open have to
be ended, also when it is taken back: their pools then open new ones.
"""

import time
from collections.abc import Callable
from typing import LiteralString

from psycopg import sql

from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.errors import StepFailed
from gp_pipelines.model import Progress

SETTING = "default_transaction_read_only"
LAST_SECONDS = 15.0  # for the server to end the sessions
LOOK_SECONDS = 0.1
# A session that is just being opened may have read its defaults before they were changed, and not
# be listed yet: it is by then.
SETTLE_SECONDS = 0.5

_IS_SET: LiteralString = """
    SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    WHERE d.datname = current_database() AND %s = ANY (s.setconfig)
"""
# Of others' sessions a role may see little more than that they are there.
_SESSIONS: LiteralString = """
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
      AND coalesce(backend_type = 'client backend', true) AND coalesce(backend_start < %s, true)
"""
_END_SESSIONS: LiteralString = f"""
    SELECT pid, pg_terminate_backend(pid) {_SESSIONS}
      AND (usename = current_user OR pg_has_role(usename, 'MEMBER')
           OR pg_has_role('pg_signal_backend', 'MEMBER'))
"""
_OTHERS: LiteralString = f"SELECT pid, usename, application_name {_SESSIONS}"


def write_all_the_same(session: Session) -> None:
    """Let `session` itself change something, also where the database has been made read-only."""
    session.execute(sql.SQL("SET {} = off").format(sql.Identifier(SETTING)))


def make_read_only(
    session: Session, role: str, allowed: Callable[[], object], progress: Progress
) -> int:
    """Of the database that `session` is in, for everybody and for `role` above all.

    How many sessions were ended for it. Raises `StepFailed` where one can't be.
    """
    allowed()
    _alter(session, role, sql.SQL("SET {} = on").format(sql.Identifier(SETTING)))
    ended = end_sessions(session)
    progress(f"{session.info.dbname} is read-only; {ended} sessions were ended for it")
    return ended


def make_writable(session: Session, role: str) -> None:
    """Nothing happens where it is."""
    if session.execute(_IS_SET, [f"{SETTING}=on"]).fetchone() == (0,):
        return
    _alter(session, role, sql.SQL("RESET {}").format(sql.Identifier(SETTING)))
    end_sessions(session)


def require_read_only(connector: Connector) -> None:
    """Raise `StepFailed` if a session that the service opens now could write."""
    with connector.session() as session:
        if session.execute("SHOW transaction_read_only").fetchone() != ("on",):
            raise StepFailed(
                f"{connector.describe()} can still be written to: its URL or its role turns "
                f"{SETTING} off again.",
                state="Traffic is where it was.",
                advice=f"Take {SETTING} out of the URL's options.",
            )


def end_sessions(session: Session) -> int:
    """End every client's session that is open now in the database, but for `session`."""
    time.sleep(SETTLE_SECONDS)
    now = session.execute("SELECT clock_timestamp()").fetchone()
    assert now is not None
    ended: set[object] = set()
    deadline = time.monotonic() + LAST_SECONDS
    while True:
        ended |= {row[0] for row in session.execute(_END_SESSIONS, [now[0]])}
        left = session.execute(_OTHERS, [now[0]]).fetchall()
        if not left:
            return len(ended)
        if time.monotonic() > deadline:
            who = ", ".join(f"{pid} ({role}, {name or 'unnamed'})" for pid, role, name in left)
            raise StepFailed(
                f"These sessions in {session.info.dbname} could not be ended: {who}.",
                state="Traffic is where it was.",
                advice="End them, or let the service's role do so (GRANT pg_signal_backend).",
            )
        time.sleep(LOOK_SECONDS)


def _alter(session: Session, role: str, how: sql.Composable) -> None:
    database = sql.Identifier(session.info.dbname)
    session.execute(sql.SQL("ALTER DATABASE {} {}").format(database, how))
    # What is set for the role itself would count for more.
    session.execute(
        sql.SQL("ALTER ROLE {} IN DATABASE {} {}").format(sql.Identifier(role), database, how)
    )
