"""A service's PostgreSQL: where its migrations, backups and migrate command meet."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path

from gp_pipelines.artifacts.contract import Artifacts
from gp_pipelines.databases.backups import Backups
from gp_pipelines.databases.compatibility.check import check
from gp_pipelines.databases.compatibility.migrations import ForeignCommand
from gp_pipelines.databases.compatibility.old_queries import OldQueries, from_artifact
from gp_pipelines.databases.compatibility.pending import changed_by
from gp_pipelines.databases.compatibility.shadow import Shadow, shadow_of
from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.databases.contract import (
    Backup,
    Checked,
    Migration,
    Pending,
    Schema,
)
from gp_pipelines.databases.fingerprint import schema_fingerprint
from gp_pipelines.databases.location import url_at
from gp_pipelines.databases.migrate import MigrateCommand, migrate
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines.databases.restorer import PostgresRestorer, Room
from gp_pipelines.databases.running import RunningMigration
from gp_pipelines.databases.sqlx import (
    MigrationFile,
    applied_migrations,
    migration_files,
    pending,
    require_in_order,
    schema,
)
from gp_pipelines.databases.store import BackupStore
from gp_pipelines.databases.tracking import ByCommand, ByFiles, Tracking
from gp_pipelines.databases.verification import Scratch
from gp_pipelines.databases.written import rows_written, since
from gp_pipelines.errors import ConfigInvalid
from gp_pipelines.model import Artifact, Progress
from gp_pipelines.services import DatabaseSpec, Migrations, SecretSource, Service

SCHEMA_SECONDS = 2  # a rollback waits for the answer


class PostgresDatabase:
    """Implements `databases.contract.Database`."""

    def __init__(
        self,
        service: Service,
        artifacts: Artifacts,
        *,
        url: Callable[[], str],
        secrets: Callable[[], Mapping[str, str]],
        directory: Path,
        bin: Callable[[str], Path],
        scratch: Scratch,
        shadow: Scratch,
        admin: Callable[[], str] | None = None,
        room: Room = lambda: None,
    ) -> None:
        """`secrets` are the values of the service's `secrets`, which its migrate command may need.

        `directory` holds the backups, and the note of a running migration. `bin` gives the path of
        pg_dump and pg_restore. `scratch` starts a PostgreSQL server, on the same disk as
        `directory`, gives its URL as a superuser, and removes it on leaving; `shadow` one that
        migrations are tried on. `admin` is the URL of a role that may make a database for the
        service (None: its own may), `room` the bytes that are free where the server has its data.
        """
        if service.database is None:
            raise ConfigInvalid(f"The service {service.name} has no database in services.yaml.")
        self._service = service
        self._spec: DatabaseSpec = service.database
        self._migrations: Migrations = self._spec.migrations
        self._artifacts = artifacts
        self._secrets = secrets
        self._directory = directory
        self._tools = PgTools(bin)
        self._scratch = scratch
        self._shadow = shadow
        self._store = BackupStore(directory, self._spec.backups)
        self._admin = Connector(admin or url, advice=_advice(self._spec))
        self._room = room
        self._connect(url)

    def _connect(self, url: Callable[[], str]) -> None:
        self._connector = Connector(url, advice=_advice(self._spec))
        self._running = RunningMigration(self._directory, self._connector)
        self._backups = Backups(self._connector, self._tools, self._scratch, self._store)

    def url(self) -> str:
        return self._connector.url()

    def require_up(self) -> None:
        with self._connector.session() as session:
            session.execute("SELECT 1")

    def schema(self) -> Schema:
        with self._connector.session(patience=SCHEMA_SECONDS) as session:
            return self._schema(session)

    def pending(self, artifact: Artifact, progress: Progress) -> Pending:
        if self._migrations.directory is None:
            changes = changed_by(
                self._connector,
                self._foreign_command(artifact, self._service.timeouts.migrate),
                scratch=self._shadow,
                tools=self._tools,
                progress=progress,
                timeout=self._service.timeouts.migrate,
            )
            return Pending(changes.versions, ())
        with self._connector.session() as session:
            applied = applied_migrations(session)
        if self._migrations is self._spec.contract:
            # Later releases may have been migrated before this: no order between the two.
            return pending(self._files(artifact), applied)
        found = pending(self._files(artifact), applied)
        require_in_order(found)
        later = self._contract_numbers(artifact)
        return replace(found, unknown=tuple(n for n in found.unknown if n not in later))

    def backup(self, release_id: str, progress: Progress, timeout: float) -> Backup:
        self._running.require_none()  # it would be dumped half-way, or waited for
        return self._backups.make(release_id, progress, timeout)

    def check(
        self,
        artifact: Artifact,
        live: Artifact | None,
        rehearse: Callable[[str], object],
        progress: Progress,
        timeout: float,
    ) -> Checked:
        made: list[Schema] = []

        def rehearsed(shadow: Shadow) -> None:
            with shadow.database.session() as session:
                made.append(self._schema(session))
            rehearse(_url_for_services(shadow))

        report = check(
            self._connector,
            self._foreign_command(artifact, timeout),
            scratch=self._shadow,
            tools=self._tools,
            queries=self._queries(live) if live else None,
            large_table_mb=self._spec.large_table_mb,
            then=rehearsed,
            progress=progress,
            timeout=timeout,
        )
        return Checked(report, made[0] if made else self.schema())

    def contracting(self) -> "PostgresDatabase":
        if self._spec.contract is None:
            raise ConfigInvalid(
                f"The service {self._service.name} has no migrations of a contract phase.",
                state="Nothing was changed.",
                advice="`database.contract` in services.yaml names them.",
            )
        other = copy(self)
        other._migrations = self._spec.contract
        return other

    @contextmanager
    def shadow(self, progress: Progress, timeout: float) -> Iterator[str]:
        deadline = time.monotonic() + timeout
        with shadow_of(
            self._connector,
            scratch=self._shadow,
            tools=self._tools,
            deadline=deadline,
            progress=progress,
        ) as shadow:
            yield _url_for_services(shadow)

    def migrate(
        self, artifact: Artifact, release_id: str, progress: Progress, timeout: float
    ) -> Migration:
        argv, cwd = self._artifacts.command(artifact, self._migrations.command)
        command = MigrateCommand(
            argv=argv,
            cwd=cwd,
            environment={**self._environment(), self._spec.variable: self._connector.url()},
            secrets=(*self._connector.secrets(), *self._secrets().values()),
            tracking=self._tracking(artifact),
        )
        return migrate(
            command,
            release_id,
            connector=self._connector,
            running=self._running,
            progress=progress,
            timeout=timeout,
        )

    def name(self) -> str:
        with self._connector.session() as session:
            return session.info.dbname

    def at(self, name: str) -> "PostgresDatabase":
        other = copy(self)
        other._connect(lambda: url_at(self._connector.url(), name))
        return other

    def backups(self) -> tuple[Backup, ...]:
        return self._store.list()[::-1]

    def written_since(self, backup: Backup) -> int | None:
        if backup.written is None or backup.database != self._connector.describe():
            return None
        with self._connector.session() as session:
            return since(backup.written, rows_written(session))

    def restorer(self, run_id: str) -> PostgresRestorer:
        return PostgresRestorer(
            self._connector, self._admin, self._tools, self._store, self._room, run_id
        )

    def _environment(self) -> dict[str, str]:
        """Of the migrate command, but for the database's URL."""
        return {"PGOPTIONS": _limits(self._spec), **self._service.environment, **self._secrets()}

    def _queries(self, live: Artifact) -> OldQueries | None:
        path = self._spec.queries
        if path is None:
            return None
        return from_artifact(
            path, lambda directory: self._artifacts.read_directory(live, directory)
        )

    def _foreign_command(self, artifact: Artifact, timeout: float) -> ForeignCommand:
        """The migrate command, for a shadow."""
        argv, cwd = self._artifacts.command(artifact, self._migrations.command)
        return ForeignCommand(
            argv=tuple(argv),
            cwd=cwd,
            environment=self._environment(),
            variable=self._spec.variable,
            secrets=tuple(self._secrets().values()),
            timeout=timeout,
        )

    def _schema(self, session: Session) -> Schema:
        """By sqlx's table, if all that changes the schema is in it."""
        kinds = (self._spec.migrations, self._spec.contract)
        if any(each is not None and each.directory is None for each in kinds):
            return schema_fingerprint(session)
        return schema(applied_migrations(session))

    def _tracking(self, artifact: Artifact) -> Tracking:
        if self._migrations.directory is None:
            return ByCommand()
        return ByFiles(self._files(artifact))

    def _contract_numbers(self, artifact: Artifact) -> set[int]:
        """Of the contract phase: applied in the same table, and known to the version as well."""
        contract = self._spec.contract
        if contract is None or contract.directory is None:
            return set()
        directory = self._artifacts.read_directory(artifact, contract.directory)
        return {file.number for file in migration_files(directory)}

    def _files(self, artifact: Artifact) -> tuple[MigrationFile, ...]:
        assert self._migrations.directory is not None
        directory = self._migrations.directory
        return migration_files(self._artifacts.read_directory(artifact, directory))


def _url_for_services(shadow: Shadow) -> str:
    """As the role that the live version runs as."""
    return shadow.uri(shadow.role)


def _limits(spec: DatabaseSpec) -> str:
    """For libpq, sqlx and whoever else reads PGOPTIONS."""
    limits = {"lock_timeout": spec.lock_timeout_seconds}
    if spec.statement_timeout_seconds is not None:
        limits["statement_timeout"] = spec.statement_timeout_seconds
    return " ".join(f"-c {name}={seconds * 1000:.0f}" for name, seconds in limits.items())


def _advice(spec: DatabaseSpec) -> str:
    if isinstance(spec.url, SecretSource):
        return f"See whether the server runs, and whether {spec.url.env} holds its URL."
    return "`gp up` starts it."
