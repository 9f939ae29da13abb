"""A scratch database with the schema of the live one: what may go wrong, goes wrong there.

The live database is only ever read, in sessions and dumps that PostgreSQL itself keeps from
writing.
"""

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gp_pipelines.databases.compatibility import bookkeeping, roles
from gp_pipelines.databases.compatibility.finding import Finding, Severity
from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.databases.encoding import create_database, read_encoding
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines.databases.verification import Scratch
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.model import Progress

DATABASE = "gp_shadow"
APPLICATION = "gp-check"
READ_ONLY = "-c default_transaction_read_only=on"
_UNKNOWN_SETTING = ("unrecognized parameter ", "unrecognized configuration parameter ")
LOOK_SECONDS = 0.1
TELL_SECONDS = 2.0
_TRY_LOCK: LiteralString = "SELECT pg_try_advisory_lock(hashtext('gp_shadow'))"
SHOWN = 3  # of what could not be loaded
# What the scratch server needs besides: it is asked afterwards what was executed.
SERVER_SETTINGS = (
    "shared_preload_libraries=pg_stat_statements",
    "pg_stat_statements.track=all",
    "logging_collector=on",
    "log_destination=jsonlog",
    "log_directory=log",
    "log_rotation_size=0",
    "log_rotation_age=0",
)


@dataclass(frozen=True, slots=True)
class Shadow:
    """Sessions on the shadow: as its superuser, or as one of the live server's roles."""

    server: Connector  # as superuser, in a database of the server's own
    database: Connector  # as superuser
    role: str  # as which the live database was read, and is migrated
    password: str
    notes: tuple[Finding, ...]  # in what the shadow is not like the live database
    port: int | None = None  # of 127.0.0.1, where the server listens there, too

    def uri(self, role: str) -> str:
        """Of `as_role`, for programs: by TCP where that can be, as not every driver knows sockets.

        Raises as `as_role` does.
        """
        url = self.as_role(role).url()
        if self.port is not None:
            url = make_conninfo(url, host="127.0.0.1", port=self.port)
        return as_uri(url)

    def as_role(self, role: str) -> Connector:
        """Logging in as `role`, as its service does: with the settings that it begins with.

        Raises `Refused` for a role that the live server does not have.
        """
        with self.server.session() as session:
            if role == session.info.user:
                return self.database
            require_role(session, role)
            name = sql.Identifier(role)
            session.execute(
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(self.password))
            )
            may = session.execute(
                "SELECT has_database_privilege(%s, %s, 'CONNECT')", [role, DATABASE]
            )
            if may.fetchone() == (False,):  # a migration took it, which is a finding of its own
                session.execute(
                    sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                        sql.Identifier(DATABASE), name
                    )
                )
        url = make_conninfo(self.database.url(), user=role, password=self.password)
        return Connector(lambda: url, advice="Run the check again.")


def as_uri(url: str) -> str:
    """A connection string as a URI, which is what services and migration tools are given."""
    given = conninfo_to_dict(url)
    parts = {key: quote(str(value), safe="") for key, value in given.items()}
    credentials = f"{parts.pop('user')}:{parts.pop('password', '')}"
    database = parts.pop("dbname")
    where = ""
    if not str(given.get("host", "/")).startswith("/"):  # a directory, that of a socket
        where = f"{parts.pop('host')}:{parts.pop('port', '5432')}"
    query = "&".join(f"{key}={value}" for key, value in parts.items())
    return f"postgresql://{credentials}@{where}/{database}{f'?{query}' if query else ''}"


@contextmanager
def read_only(live: Connector) -> Iterator[Session]:
    """A session on the live database that cannot write."""
    with live.session(APPLICATION) as session:
        session.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        yield session


@contextmanager
def shadow_of(
    live: Connector, *, scratch: Scratch, tools: PgTools, deadline: float, progress: Progress
) -> Iterator[Shadow]:
    """The shadow of a live database, gone on leaving.

    Raises `Refused` for a live server of a newer major version than ours, `StepFailed` where its
    schema cannot be read, `TargetUnavailable` if a server goes away.
    """
    with tempfile.TemporaryDirectory(prefix="gp-check-") as directory, read_only(live) as reading:
        _require_version(live, reading, tools.major())
        script = Path(directory) / "schema.sql"
        progress(f"dumping the schema of {live.describe()}")
        environment = live.environment(reading, APPLICATION)
        tools.suited(reading).dump_schema(
            script,
            environment={**environment, "PGOPTIONS": READ_ONLY},
            secrets=live.secrets(),
            deadline=deadline,
            progress=progress,
        )
        progress("starting a scratch server as its shadow")
        with (
            scratch() as url,
            _alone(url, deadline, progress),
            _loaded(url, reading, tools, script, deadline) as shadow,
        ):
            yield shadow


@contextmanager
def _alone(url: str, deadline: float, progress: Progress) -> Iterator[None]:
    """A scratch server that people have named may be wanted by two checks: one at a time.

    Raises `StepFailed` if the other one does not end in time.
    """
    with Connector(lambda: url, advice="See whether the scratch server runs.").session() as session:
        told = time.monotonic()
        while session.execute(_TRY_LOCK).fetchone() != (True,):
            if time.monotonic() > deadline:
                raise StepFailed(
                    "Another check has been using the scratch server all the time.",
                    state="Nothing was changed.",
                    advice="Wait for it, or name another server.",
                )
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                progress("waiting for another check on the scratch server")
            time.sleep(LOOK_SECONDS)
        yield


@contextmanager
def _loaded(
    url: str, live: Session, tools: PgTools, script: Path, deadline: float
) -> Iterator[Shadow]:
    server = Connector(lambda: url, advice="Run the check again.")
    database = server.to(DATABASE)
    found = roles.read(live)
    with server.session(APPLICATION) as session:
        _drop(session)
        roles.create(session, found)
        create_database(session, DATABASE, read_encoding(live))
        roles.apply_to_database(session, DATABASE, found)
        notes = list(_of_another_version(live, session))
        port = _port(session)
    try:
        with database.session(APPLICATION) as session:
            failed = tools.load_script(
                script,
                environment=database.environment(session, APPLICATION),
                secrets=database.secrets(),
                deadline=deadline,
                progress=lambda line: None,
            )
            bookkeeping.copy_rows(live, session)
            _forget_other_servers(session)
            _populate(session)
        notes += _incomplete(failed)
        yield Shadow(
            server=server,
            database=database,
            role=live.info.user,
            password=secrets.token_urlsafe(24),
            notes=tuple(notes),
            port=port,
        )
    finally:
        with server.session(APPLICATION) as session:
            _drop(session)


def _port(session: Session) -> int | None:
    """Where the server of `session`, which came by a socket, listens on 127.0.0.1."""
    if not session.info.host.startswith("/"):
        return None
    row = session.execute(
        "SELECT current_setting('listen_addresses'), current_setting('port')"
    ).fetchone()
    assert row is not None
    return int(str(row[1])) if row[0] == "127.0.0.1" else None


def require_role(session: Session, role: str) -> None:
    """Raises `Refused` if the server of `session` has no such role."""
    if session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        raise Refused(
            f"The live server has no role {role}.",
            state="Nothing was changed.",
            advice="Name the role that the version that is live connects as.",
        )


def _drop(session: Session) -> None:
    session.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE))
    )


def _forget_other_servers(session: Session) -> None:
    """A foreign table of the shadow must not lead to the real data behind the original's."""
    mappings = session.execute("SELECT srvname, usename FROM pg_user_mappings").fetchall()
    for server, user in mappings:
        who = sql.SQL("PUBLIC") if user == "public" else sql.Identifier(str(user))
        session.execute(
            sql.SQL("DROP USER MAPPING FOR {} SERVER {}").format(who, sql.Identifier(str(server)))
        )


def _populate(session: Session) -> None:
    """A dump without data leaves materialized views in a state that no query may read."""
    query = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'm' ORDER BY oid"
    views = [str(name) for (name,) in session.execute(query).fetchall()]
    for _ in views:  # one may read another
        left = []
        for view in views:
            try:
                session.execute(f"REFRESH MATERIALIZED VIEW {view}".encode())
            except psycopg.Error:
                left.append(view)
        if not left:
            break
        views = left


def _require_version(live: Connector, session: Session, ours: int) -> None:
    theirs = session.info.server_version // 10000
    if theirs > ours:
        raise Refused(
            f"PostgreSQL at {live.describe()} is of major version {theirs}, and the shadow would "
            f"be of version {ours}: what fails or works there says nothing about a newer one.",
            state="Nothing was changed.",
            advice=f"Use an installation with PostgreSQL {theirs}.",
        )


def _of_another_version(live: Session, shadow: Session) -> Iterator[Finding]:
    theirs, ours = (each.info.server_version // 10000 for each in (live, shadow))
    if theirs != ours:
        yield Finding(
            Severity.NOTE,
            "shadow-version",
            f"PostgreSQL {theirs}",
            f"nothing; but it was tried on PostgreSQL {ours}, which is not the live server's "
            "major version.",
        )


def _incomplete(said: tuple[str, ...]) -> Iterator[Finding]:
    # A setting of storage that another version or another vendor has: no query sees it.
    failed = [each for each in said if not each.startswith(_UNKNOWN_SETTING)]
    if failed:
        more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        yield Finding(
            Severity.APPROVAL,
            "shadow-incomplete",
            "the shadow",
            f"what depends on parts of the live schema that could not be loaded into the shadow "
            f"was not checked: {'; '.join(failed[:SHOWN])}{more}.",
            "Give the scratch server what is missing (an extension, mostly).",
        )
