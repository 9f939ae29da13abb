"""How much was written to a database, as its server counts it: what a restore would lose.

The counters only grow, until the server begins anew (a crash, a restored database, a person). What
a session has written is counted when it pauses: up to a second later.
"""

from collections.abc import Mapping

from gp_pipelines.databases.connection import Session

_WRITTEN = """
    SELECT format('%I.%I', schemaname, relname), n_tup_ins + n_tup_upd + n_tup_del
    FROM pg_stat_user_tables
"""


def rows_written(session: Session) -> dict[str, int]:
    """Rows inserted, changed and deleted until now, by qualified table name."""
    return {str(table): int(str(rows)) for table, rows in session.execute(_WRITTEN)}


def since(then: Mapping[str, int], now: Mapping[str, int]) -> int | None:
    """The rows written between two readings.

    None where the server has begun to count anew, or a table is gone, with what it had counted.
    """
    if any(now.get(table, -1) < rows for table, rows in then.items()):
        return None
    return sum(rows - then.get(table, 0) for table, rows in now.items())
