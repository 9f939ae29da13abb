"""The old version as it runs on: a session that had prepared its queries before the migration.

Drivers keep statements prepared for as long as a session lives, and PostgreSQL refuses to execute
one whose result has other columns or types than when it was prepared (`cached plan must not change
result type`). Many drivers (sqlx, for one) do not prepare it again by themselves: running replicas
fail until they are started anew, though a new session would work. So it counts as breaking.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from gp_pipelines.databases.compatibility.queries import Outcome, call, message, prepare
from gp_pipelines.databases.compatibility.shadow import APPLICATION, Shadow
from gp_pipelines.databases.connection import Session


class RunningVersion:
    def __init__(self, session: Session, outcomes: Sequence[Outcome]) -> None:
        self._session = session
        self._prepared: dict[str, tuple[str, tuple[str, ...]]] = {}
        for number, outcome in enumerate(outcomes):
            if not outcome.works or not outcome.preparable:
                continue
            name = f"gp_running_{number}"
            self._prepared[outcome.query] = (
                name,
                prepare(session, name, outcome.query, outcome.types),
            )

    def errors(self) -> dict[str, str]:
        """What each query fails with now, by the query; those that go on are left out."""
        found = {}
        for query, (name, types) in self._prepared.items():
            try:
                with self._session.transaction(force_rollback=True):
                    self._session.execute(sql.SQL("EXPLAIN {}").format(call(name, types)))
            except psycopg.Error as error:
                found[query] = message(error)
        return found


@contextmanager
def running_version(
    shadow: Shadow, role: str, outcomes: Sequence[Outcome]
) -> Iterator[RunningVersion]:
    """Its session, as `role`: open, and in no transaction, while the migration is applied."""
    with shadow.as_role(role).session(APPLICATION) as session:
        session.prepare_threshold = None  # psycopg would deallocate ours along with its own
        session.execute("SET plan_cache_mode = force_generic_plan")
        yield RunningVersion(session, outcomes)
