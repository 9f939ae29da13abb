"""What the pipeline asks of a service's database.

The URL is a secret: it leaves this package only through `url()`, into a process's environment.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gp_pipelines.databases.compatibility.finding import Report
from gp_pipelines.model import Artifact, Progress


@dataclass(frozen=True, slots=True)
class Pending:
    """What a version's migrations mean for the live database."""

    versions: tuple[str, ...]  # `<number>_<description>`, in the order they will be applied
    unknown: tuple[int, ...]  # applied, but not known to this version: expected for an older one
    out_of_order: tuple[str, ...] = ()  # of `versions`, those older than the newest applied one

    def __bool__(self) -> bool:
        return bool(self.versions)


@dataclass(frozen=True, slots=True)
class Schema:
    """Which schema the live database has, as far as its migrations tell."""

    name: str  # for people: the newest applied migration
    fingerprint: str  # the same for the same applied migrations with the same content


@dataclass(frozen=True, slots=True)
class Backup:
    """A dump on the target's disk, and how it was proved."""

    id: str
    at: datetime
    location: str
    size: int  # bytes
    rows: Mapping[str, int]  # by qualified table name, counted in the dump's own snapshot
    verified: bool
    seconds: float
    proof: str = ""  # how it was verified, in a sentence
    database: str = ""  # of which: host:port/name
    database_size: int | None = None  # bytes; None: nobody has noted it
    # Rows written to each table until then, as the server counts them; None: nobody has noted it.
    written: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Migration:
    """What a migrate command did."""

    applied: tuple[str, ...]
    seconds: float
    output: str  # its last lines, redacted


@dataclass(frozen=True, slots=True)
class Checked:
    """What migrations would do to the version that is live, as they were tried on a shadow."""

    report: Report
    schema: Schema  # that they make


class Restorer(Protocol):
    """One restore: the present database read-only, and a new one beside it made of a backup.

    `allowed` is asked before each change and raises where the run may not change anything any more.
    It is asked in a session that `unprotect` and `drop` end first: so what a run does that has
    lost its fence comes too late for the server, and not only for the record.
    """

    def require_possible(self, backup: Backup, progress: Progress) -> None:
        """Prove the backup's files by their checksums, and that there are room and rights.

        Raises `StepFailed` for a damaged backup or too little room, `Refused` for a role that may
        not make a database. Changes nothing.
        """
        ...

    def protect(self, name: str, allowed: Callable[[], object], progress: Progress) -> int:
        """Let nobody write to the database `name` any more; how many sessions were ended for it.

        Raises `StepFailed` where it can still be written to.
        """
        ...

    def unprotect(self, name: str) -> None:
        """Let the database `name` be written to again. Nothing happens where it can be."""
        ...

    def restore(
        self,
        backup: Backup,
        name: str,
        allowed: Callable[[], object],
        progress: Progress,
        timeout: float,
    ) -> str:
        """Make the database `name` of `backup`. Returns what was compared, in a sentence.

        Raises `StepFailed`.
        """
        ...

    def drop(self, name: str) -> None:
        """Remove the database `name`, whoever is connected. Nothing happens where it is gone."""
        ...


class Database(Protocol):
    def url(self) -> str:
        """The connection URL, password included, for a process's environment only."""
        ...

    def require_up(self) -> None:
        """Raise `TargetUnavailable` naming the server, without its password, if it is down."""
        ...

    def schema(self) -> Schema:
        """What has been applied until now. Never waits for long: a rollback asks it.

        Raises `TargetUnavailable` if the database does not answer within 2 s.
        """
        ...

    def pending(self, artifact: Artifact, progress: Progress) -> Pending:
        """What the migrate command of `artifact` would do: by its files, or tried on a shadow.

        Raises `Refused` for a dirty bookkeeping table, a changed migration file, or one that is
        older than what is applied; and as `check` does where it has to be tried.
        """
        ...

    def backup(self, release_id: str, progress: Progress, timeout: float) -> Backup:
        """Dump, restore into a scratch database, compare tables and row counts.

        Raises `Refused` while a migration is still running, and `StepFailed` when the disk is too
        full, the dump fails, or the comparison differs; what was written is removed.
        """
        ...

    def check(
        self,
        artifact: Artifact,
        live: Artifact | None,
        rehearse: Callable[[str], object],
        progress: Progress,
        timeout: float,
    ) -> Checked:
        """Try the migrate command of `artifact` on a shadow, and judge what it would break.

        `live` is what runs now, where it is stored: it has the queries that are tried. Where the
        migrations go through, `rehearse` is called with the URL (password included) of the shadow.
        The live database is only read.

        Raises `StepFailed` where the check itself fails, `Refused` and `ConfigInvalid` where there
        can be none, `TargetUnavailable` if a server goes away.
        """
        ...

    def contracting(self) -> "Database":
        """The same, with the migrations of the contract phase in place of a release's.

        Raises `ConfigInvalid` for a service that has none.
        """
        ...

    def shadow(self, progress: Progress, timeout: float) -> AbstractContextManager[str]:
        """A shadow as `check` has it before the migrations: its URL, password included.

        Raises as `check` does.
        """
        ...

    def migrate(
        self, artifact: Artifact, release_id: str, progress: Progress, timeout: float
    ) -> Migration:
        """Run the service's own migrate command.

        Raises `Refused` if a migration is still running (also one left by a killed run), and
        `StepFailed` when it fails or does not end in `timeout` seconds: its whole process group is
        ended then, and the error says which migrations are applied.
        """
        ...

    def name(self) -> str:
        """Of the database on its server."""
        ...

    def at(self, name: str) -> "Database":
        """The same service's, in another database of the same server."""
        ...

    def backups(self) -> tuple[Backup, ...]:
        """The newest first."""
        ...

    def written_since(self, backup: Backup) -> int | None:
        """How many rows were inserted, changed or deleted since `backup`: what is lost with it.

        None: unknown, because nobody has noted it then, or the server has begun to count anew.
        """
        ...

    def restorer(self, run_id: str) -> Restorer:
        """For the restore of one run."""
        ...
