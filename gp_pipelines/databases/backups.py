"""Make one backup: dump in a snapshot, prove it, store it, and let old ones go."""

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.databases.contents import RowCount, next_values, relations
from gp_pipelines.databases.contract import Backup
from gp_pipelines.databases.encoding import read_encoding
from gp_pipelines.databases.pg_tools import PgTools, in_bytes, jobs_for
from gp_pipelines.databases.store import DUMP, BackupStore
from gp_pipelines.databases.verification import (
    Contents,
    Scratch,
    read_extensions,
    read_roles,
    verify,
)
from gp_pipelines.databases.written import rows_written
from gp_pipelines.errors import GpError, StepFailed
from gp_pipelines.model import Progress

# Free space that a backup wants: its dump, at most as large as the database, the restored copy with
# its write-ahead log, and what a server needs to run at all.
COPIES = 3
MARGIN = 256 * 2**20
NOTHING_LEFT = (
    "What was written is removed. The database was not migrated; traffic is where it was."
)


@dataclass(frozen=True, slots=True)
class Backups:
    """The backups of one database."""

    connector: Connector
    tools: PgTools
    scratch: Scratch  # a server to restore into, on the disk that the backups are on
    store: BackupStore

    def make(self, release_id: str, progress: Progress, timeout: float) -> Backup:
        """A verified backup, bound to `release_id`.

        Raises `StepFailed` saying that nothing is left of it; `TargetUnavailable` if the database
        goes away.
        """
        began = time.monotonic()
        self._clear_up_after_dead_runs(progress)
        backup_id = self.store.new_id(release_id)
        at = datetime.now(UTC)
        deadline = began + timeout
        try:
            with self.store.writing(backup_id) as directory:
                contents, tools = self._dump(backup_id, directory, deadline, progress)
                proof = verify(
                    directory / DUMP,
                    contents,
                    scratch=self.scratch,
                    tools=tools,
                    deadline=deadline,
                    progress=progress,
                )
                facts = {
                    "id": backup_id,
                    "release_id": release_id,
                    "database": self.connector.describe(),
                    "at": at.isoformat(),
                    "seconds": round(time.monotonic() - began, 3),
                    "verified": True,
                    "proof": proof,
                    "rows": dict(contents.rows),
                    "sequences": dict(contents.sequences_after),
                    "database_size": contents.size,
                    "written": dict(contents.written),
                }
                self.store.write_manifest(directory, facts, progress)
        except OSError as error:
            raise _failed(backup_id, f"its files cannot be written: {error}") from error
        except StepFailed as failure:
            raise _failed(backup_id, failure.what, failure.advice) from failure
        return self._made(backup_id, proof, progress)

    def _dump(
        self, backup_id: str, directory: Path, deadline: float, progress: Progress
    ) -> tuple[Contents, PgTools]:
        application = _application(backup_id)
        with self.connector.session(application) as session:
            tools = self.tools.suited(session)
            written = rows_written(session)  # before the snapshot: no loss is left out
            with session.transaction():
                session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                snapshot, size = _snapshot(session)
                self._check_disk(size, directory)
                among = relations(session)
                before = next_values(session, among)
                jobs = jobs_for(size)
                progress(f"dumping {in_bytes(size)} with {jobs} connections")
                with RowCount(self.connector, among, snapshot) as count:
                    tools.dump(
                        directory / DUMP,
                        snapshot=snapshot,
                        jobs=jobs,
                        environment=self.connector.environment(session, application),
                        secrets=self.connector.secrets(),
                        deadline=deadline,
                        progress=progress,
                    )
                    rows = count.rows(deadline, progress)
                contents = Contents(
                    relations=among,
                    rows=rows,
                    sequences_before=before,
                    sequences_after=next_values(session, among),
                    roles=read_roles(session),
                    encoding=read_encoding(session),
                    size=size,
                    written=written,
                    extensions=read_extensions(session),
                )
        return contents, tools

    def _check_disk(self, size: int, directory: Path) -> None:
        free, wanted = shutil.disk_usage(directory).free, size * COPIES + MARGIN
        if free < wanted:
            raise StepFailed(
                f"There is too little room for a backup in {self.store.root}: {in_bytes(free)} "
                f"are free, and dumping and restoring a database of {in_bytes(size)} may take "
                f"{in_bytes(wanted)}.",
                advice="Make room there, then release again.",
            )

    def _clear_up_after_dead_runs(self, progress: Progress) -> None:
        """A killed run leaves its directory, and its pg_dump may still be reading.

        A run that lost its fence may still be at it, too: it is ended by this, as nobody waits
        for it any more.
        """
        for backup_id in self.store.partials():
            progress(f"removing the unfinished backup {backup_id}")
            with self.connector.session() as session:
                session.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND application_name = %s",
                    [_application(backup_id)],
                )
            self.store.remove_partial(backup_id)

    def _made(self, backup_id: str, proof: str, progress: Progress) -> Backup:
        made = self.store.get(backup_id)
        if made is None:
            raise _failed(backup_id, "its manifest cannot be read back")
        progress(f"backup {made.id}: {in_bytes(made.size)}, {proof}")
        try:
            for old in self.store.retire(keep=made.id):
                progress(f"removed the old backup {old}")
        except OSError as error:  # the new backup is good all the same
            progress(f"old backups could not be removed: {error}")
        return made


def _snapshot(session: Session) -> tuple[str, int]:
    row = session.execute(
        "SELECT pg_export_snapshot(), pg_database_size(current_database())"
    ).fetchone()
    assert row is not None
    return str(row[0]), int(str(row[1]))


def _application(backup_id: str) -> str:
    """What the server knows the dump's sessions by. At most 63 characters."""
    return f"gp-backup-{backup_id}"


def _failed(backup_id: str, why: str, advice: str = "") -> GpError:
    return StepFailed(f"Backup {backup_id} failed: {why}", state=NOTHING_LEFT, advice=advice)
