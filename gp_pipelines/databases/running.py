"""A migration that is running: noted, found again, ended.

A run that is killed leaves its migrate command behind. It is looked for in three ways, as each has
a gap: the record on disk (the run may be killed between start and record), the mark in the
environment of processes (a command may clear it, and another machine's cannot be seen), and the
name of its sessions on the server (it may not have connected yet).
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.errors import GpError, Refused
from gp_pipelines.model import short_id

APPLICATION = "gp-migrate-"
MARK = "GP_MIGRATION"
CLOCK_SECONDS = 2  # by which start times of one process may differ when the clock is set
LAST_SECONDS = 10  # for the server to end a session that it was told to end


@dataclass(frozen=True, slots=True)
class Running:
    """One sign of a migration that is running."""

    release: str  # its short id
    what: str
    since: datetime
    how_to_end: str


class RunningMigration:
    """At most one migration of a service runs. `directory` is the service's own."""

    def __init__(self, directory: Path, connector: Connector) -> None:
        self._directory = directory
        self._record = directory / "migration.json"
        self._connector = connector

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other run on this machine from migrating meanwhile.

        Raises `Refused` if one is, or if a killed run's migration is still running.
        """
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lock = FileLock(self._directory / "migration.lock", timeout=0).acquire()
        except Timeout:
            found = self._recorded() or Running("", "in another run", datetime.now(UTC), "")
            raise _refused(found, self._connector.describe()) from None
        with lock:
            self.require_none()
            yield

    def require_none(self) -> None:
        """Raise `Refused`, naming it, if a migration is running."""
        if found := self._recorded() or self._marked() or self._connected():
            raise _refused(found, self._connector.describe())

    def environment(self, release_id: str) -> dict[str, str]:
        """What its processes and sessions are known by."""
        return {"PGAPPNAME": self.application(release_id), MARK: self._mark(release_id)}

    def application(self, release_id: str) -> str:
        """What its sessions are called on the server."""
        return _application(release_id)

    def record(self, release_id: str, pid: int) -> None:
        """Note on disk, until `end`, that process `pid` is the migration of a release."""
        with suppress(psutil.NoSuchProcess):  # it has ended already: nothing is running
            started = psutil.Process(pid).create_time()
            note = {"release_id": release_id, "pid": pid, "started": started}
            written = self._record.with_suffix(".tmp")
            written.write_text(json.dumps(note))
            written.replace(self._record)

    def end(self, release_id: str) -> str:
        """End what the command's own process group did not hold: processes that left it, and
        sessions, whose statement the server would finish and commit without a client.

        Returns what is wrong if that could not be done. Never raises one of our errors: it is
        called while another one is on its way.
        """
        for process in psutil.process_iter():
            if _environment(process).get(MARK) == self._mark(release_id):
                with suppress(psutil.Error):
                    process.kill()
        self._record.unlink(missing_ok=True)
        deadline = time.monotonic() + LAST_SECONDS
        try:
            with self._connector.session() as session:
                while pids := _end_sessions(session, _application(release_id)):
                    if time.monotonic() >= deadline:
                        return f"Its sessions do not end on the server: {pids}"
                    time.sleep(0.05)
        except GpError as error:
            return f"Its sessions on the server could not be ended: {error.what}"
        return ""

    def _recorded(self) -> Running | None:
        try:
            note = json.loads(self._record.read_text())
            pid, started, release_id = note["pid"], note["started"], note["release_id"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        # Its children too: the command itself may have ended and left them.
        for process in psutil.process_iter():
            if _group(process.pid) == pid and _lives(process, since=started):
                return _process(process, short_id(release_id), started)
        return None

    def _marked(self) -> Running | None:
        for process in psutil.process_iter():
            mark = _environment(process).get(MARK, "")
            if mark.startswith(self._mark("")) and _lives(process):
                return _process(process, mark.rpartition(":")[2], process.create_time())
        return None

    def _connected(self) -> Running | None:
        with self._connector.session() as session:
            row = session.execute(
                "SELECT pid, application_name, backend_start FROM pg_stat_activity "
                "WHERE datname = current_database() AND starts_with(application_name, %s) "
                "ORDER BY backend_start",
                [APPLICATION],
            ).fetchone()
        if row is None:
            return None
        pid, application, since = row
        assert isinstance(since, datetime)
        return Running(
            release=str(application).removeprefix(APPLICATION),
            what=f"session {pid} on the server",
            since=since.astimezone(UTC),
            how_to_end=f"SELECT pg_terminate_backend({pid})",
        )

    def _mark(self, release_id: str) -> str:
        """Tells services apart: another one's migration is not in the way."""
        return f"{self._directory.resolve()}:{short_id(release_id)}"


def _application(release_id: str) -> str:
    return f"{APPLICATION}{short_id(release_id)}"


def _end_sessions(session: Session, application: str) -> list[int]:
    rows = session.execute(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = %s",
        [application],
    )
    return [int(str(row[0])) for row in rows]


def _process(process: psutil.Process, release: str, started: float) -> Running:
    return Running(
        release=release,
        what=f"process {process.pid}",
        since=datetime.fromtimestamp(started, UTC),
        how_to_end=f"kill {process.pid}",
    )


def _lives(process: psutil.Process, since: float = 0.0) -> bool:
    """Whether it runs, and is no later process that got the same id."""
    try:
        started = process.create_time() >= since - CLOCK_SECONDS
        return started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def _environment(process: psutil.Process) -> dict[str, str]:
    """Of a process of this user; nothing of another's."""
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _refused(found: Running, where: str) -> Refused:
    release = f" of release {found.release}" if found.release else ""
    end = f", or end it (`{found.how_to_end}`)" if found.how_to_end else ""
    return Refused(
        f"A migration{release} of {where} is still running ({found.what}, "
        f"since {found.since:%Y-%m-%d %H:%M:%S} UTC).",
        state="No second one was started beside it. Traffic is where it was.",
        advice=f"Wait until it has ended{end}; then release again.",
    )
