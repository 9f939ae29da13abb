"""What a running migration does on the server: which index it builds, and who is in its way."""

from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.errors import GpError

LOOK_SECONDS = 2  # a look that takes longer is given up: it is for people only

_INDEXES = """
    SELECT progress.relid::regclass::text, progress.phase,
           CASE WHEN progress.blocks_total > 0
                THEN (100 * progress.blocks_done / progress.blocks_total)::int END
    FROM pg_stat_progress_create_index AS progress
    JOIN pg_stat_activity AS session USING (pid)
    WHERE session.application_name = %s AND session.datname = current_database()
"""
_BLOCKERS = """
    SELECT DISTINCT blocker.pid, blocker.usename, blocker.application_name, blocker.state,
           extract(epoch FROM now() - blocker.xact_start)::int
    FROM pg_stat_activity AS session
    CROSS JOIN LATERAL unnest(pg_blocking_pids(session.pid)) AS blocking
    JOIN pg_stat_activity AS blocker ON blocker.pid = blocking
    WHERE session.application_name = %s AND session.datname = current_database()
    ORDER BY blocker.pid
"""
_INVALID = """
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE NOT indisvalid AND NOT EXISTS (
        SELECT FROM pg_stat_progress_create_index AS progress
        WHERE progress.index_relid = pg_index.indexrelid)
    ORDER BY 1
"""


class MigrationWatch:
    """Of the sessions with one application name. Raises nothing: it looks beside the migration."""

    def __init__(self, connector: Connector, application: str) -> None:
        self._connector = connector
        self._application = application

    def describe(self) -> str:
        """In half a sentence; empty if there is nothing to say."""
        try:
            with self._connector.session(patience=LOOK_SECONDS) as session:
                return "; ".join([*self._indexes(session), *self._blockers(session)])
        except GpError:
            return ""

    def _indexes(self, session: Session) -> list[str]:
        rows = session.execute(_INDEXES, [self._application]).fetchall()
        return [
            f"index on {table}: {phase}{f' {share} %' if share is not None else ''}"
            for table, phase, share in rows
        ]

    def _blockers(self, session: Session) -> list[str]:
        rows = session.execute(_BLOCKERS, [self._application]).fetchall()
        return [
            f"waits for session {pid} ({user}, {application or 'unnamed'}, {state}, "
            f"in a transaction since {seconds} s)"
            for pid, user, application, state, seconds in rows
        ]


def invalid_indexes(session: Session) -> tuple[str, ...]:
    """Left by a CREATE INDEX CONCURRENTLY that failed: they cost writes and serve no query."""
    return tuple(str(row[0]) for row in session.execute(_INVALID))
