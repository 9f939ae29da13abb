"""One restore on a PostgreSQL server: a new database beside the present one, made of a backup.

Whoever ends it ends its sessions first, and a run asks for its fence in such a session, before it
changes something there: a run that was stopped in between finds its session gone.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql

from gp_pipelines.commands import REPORT_SECONDS
from gp_pipelines.databases.beside import own_and_open
from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.databases.contents import Relation, RowCount, relations
from gp_pipelines.databases.contract import Backup
from gp_pipelines.databases.encoding import create_database, read_encoding
from gp_pipelines.databases.pg_tools import PgTools, in_bytes, jobs_for
from gp_pipelines.databases.read_only import (
    make_read_only,
    make_writable,
    require_read_only,
    write_all_the_same,
)
from gp_pipelines.databases.store import BackupStore
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.model import Progress, short_id

MARGIN = 256 * 2**20
EXPANDED = 8  # a database is at most so many times its dump, where nobody has noted its size
LAST_SECONDS = 10.0  # for the server to end a session
SHOWN = 10  # differences

Room = Callable[[], int | None]  # bytes that the server's disk has; None: that can't be seen


@dataclass(frozen=True, slots=True)
class PostgresRestorer:
    """Implements `databases.contract.Restorer` for one run.

    `admin` may make a database for the service's role, and end its sessions.
    """

    connector: Connector
    admin: Connector
    tools: PgTools
    store: BackupStore
    room: Room
    run_id: str

    def require_possible(self, backup: Backup, progress: Progress) -> None:
        self.store.require_whole(backup, progress)
        wanted = (backup.database_size or backup.size * EXPANDED) + MARGIN
        free = self.room()
        if free is not None and free < wanted:
            raise StepFailed(
                f"There is too little room for a second database: {in_bytes(free)} are free on the "
                f"server's disk, and it may take {in_bytes(wanted)}.",
                state="Nothing was changed.",
                advice="Make room there (the runbook says where), then ask again.",
            )
        with self.admin.session() as session:
            may = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
            if session.execute(may).fetchone() != (True,):
                user = session.info.user
                raise Refused(
                    f"The role {user} may not make the new database that a restore goes into.",
                    state="Nothing was changed.",
                    advice=f'Let it: ALTER ROLE "{user}" CREATEDB; then ask again.',
                )

    def protect(self, name: str, allowed: Callable[[], object], progress: Progress) -> int:
        with self._session(self.admin.to(name)) as session:
            ended = make_read_only(session, self._role(name), allowed, progress)
        require_read_only(self.connector.to(name))
        return ended

    def unprotect(self, name: str) -> None:
        role = self._role(name)
        with self._session(self.admin.to(name), "gp-restore-end") as session:
            self._end_own(session)
            make_writable(session, role)

    def restore(
        self,
        backup: Backup,
        name: str,
        allowed: Callable[[], object],
        progress: Progress,
        timeout: float,
    ) -> str:
        deadline = time.monotonic() + timeout
        self._create(name, allowed)
        admin = self.admin.to(name)
        progress(f"restoring backup {backup.id} into {name}")
        with self.store.using(backup) as dump, admin.session(self._application) as session:
            self.tools.suited(session).restore(
                dump,
                database=name,
                jobs=jobs_for(backup.database_size or backup.size),
                environment=admin.environment(session, self._application),
                secrets=admin.secrets(),
                deadline=deadline,
                progress=progress,
                done=lambda: f"{in_bytes(_size(session))} restored",
            )
            among = relations(session)
            with RowCount(admin, among) as count:
                rows = count.rows(deadline, progress)
            _require_same(backup, rows)
            _analyze(session, among, progress)
        return f"{len(rows)} tables with {sum(rows.values()):,} rows are as they were backed up"

    def drop(self, name: str) -> None:
        with self._session(self.admin, "gp-restore-end") as session:
            self._end_own(session)
            session.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    @property
    def _application(self) -> str:
        return f"gp-restore-{short_id(self.run_id)}"

    @contextmanager
    def _session(self, connector: Connector, application: str = "") -> Iterator[Session]:
        """By default one of this restore's own, which are ended with it."""
        with connector.session(application or self._application) as session:
            write_all_the_same(session)
            yield session

    def _role(self, name: str) -> str:
        """The service's own."""
        with self.connector.to(name).session() as session:
            return session.info.user

    def _create(self, name: str, allowed: Callable[[], object]) -> None:
        with self.connector.session() as session:
            encoding, role, like = (
                read_encoding(session),
                session.info.user,
                session.info.dbname,
            )
        with self._session(self.admin) as session:
            allowed()
            create_database(session, name, encoding)
            own_and_open(session, name, role, like)

    def _end_own(self, session: Session) -> None:
        """The sessions of this restore: its run may still be at it, or stopped in the middle."""
        deadline = time.monotonic() + LAST_SECONDS
        while session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            [self._application],
        ).fetchall():
            if time.monotonic() > deadline:
                raise StepFailed(
                    f"The sessions {self._application} of the restore don't end on the server.",
                    advice="It is tried again.",
                )
            time.sleep(0.05)


def _require_same(backup: Backup, rows: Mapping[str, int]) -> None:
    differences = [
        f"{table} has {rows.get(table, 0):,} rows instead of {wanted:,}"
        for table, wanted in backup.rows.items()
        if rows.get(table) != wanted
    ]
    if differences:
        more = len(differences) - SHOWN
        shown = [*differences[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
        raise StepFailed(
            f"What was restored is not what backup {backup.id} holds: {'; '.join(shown)}.",
            state="Traffic is where it was.",
        )


def _analyze(session: Session, among: tuple[Relation, ...], progress: Progress) -> None:
    """Without statistics the first queries would be planned blindly."""
    tables = [relation for relation in among if relation.kind in ("r", "m")]
    told = time.monotonic()
    for number, table in enumerate(tables, start=1):
        session.execute(sql.SQL("ANALYZE {}").format(table.identifier))
        if time.monotonic() - told >= REPORT_SECONDS:
            told = time.monotonic()
            progress(f"analyzing: {number}/{len(tables)} tables")


def _size(session: Session) -> int:
    row = session.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(str(row[0])) if row else 0
