"""Two real PostgreSQL servers for each worker: one that stands for production, one to restore into.

Production's role is no superuser, and its password holds what breaks URLs and logs.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from gp_pipelines.databases.postgres import PostgresDatabase
from gp_pipelines.databases.verification import SCRATCH_DATABASE
from gp_pipelines.services import Service
from gp_pipelines_tests.databases.migrations import Migrations
from gp_pipelines_tests.databases.server import BIN, running_server

PASSWORD = "s3cr et/p@ss:w%rd?#"
_numbers = itertools.count()


@dataclass(frozen=True)
class Live:
    """A database of its own for one test."""

    url: str

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url, autocommit=True)

    def run(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, query: str) -> object:
        with self.connect() as connection:
            row = connection.execute(query.encode()).fetchone()
            assert row is not None
            return row[0]


@pytest.fixture(scope="session")
def production() -> Iterator[str]:
    """The URL of a server, as superuser."""
    with running_server() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE ROLE app LOGIN PASSWORD {}").format(sql.Literal(PASSWORD))
            )
            connection.execute('CREATE ROLE "Read-only ""people"""')
        yield url


@pytest.fixture(scope="session")
def scratch_url() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
def live(production: str) -> Live:
    return new_database(production)


@pytest.fixture
def crew(live: Live) -> Live:
    live.run(
        "CREATE TABLE crew (id serial PRIMARY KEY, name text)",
        "INSERT INTO crew (name) SELECT 'mate ' || n FROM generate_series(1, 42) n",
    )
    return live


def new_database(server: str) -> Live:
    """One more on `server`, owned by a role that is no superuser."""
    name = f"live_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER app").format(sql.Identifier(name)))
    host = psycopg.conninfo.conninfo_to_dict(server)["host"]
    return Live(f"postgresql://app:{quote(PASSWORD, safe='')}@/{name}?host={host}")


@pytest.fixture
def scratch(scratch_url: str) -> Callable[[], AbstractContextManager[str]]:
    """A server that is started once, and emptied after each use."""

    @contextmanager
    def emptied() -> Iterator[str]:
        try:
            yield scratch_url
        finally:
            with psycopg.connect(scratch_url, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
                        sql.Identifier(SCRATCH_DATABASE)
                    )
                )

    return emptied


@pytest.fixture
def migrations(tmp_path: Path) -> Migrations:
    """The service's migrations and its migrate command: an artifact in a directory."""
    return Migrations(tmp_path / "artifact")


def service(*command: str, **database: Any) -> Service:
    """A service whose migrate command is the tests' own, with `command` as its arguments.

    `database` are more fields of its `database`.
    """
    return Service.model_validate(
        {
            "name": "missions",
            "artifact": {"kind": "wheel", "source": "."},
            "command": ["serve"],
            "environment": {"GREETING": "ahoy"},
            "identity": {"path": "/health"},
            "smoke": {"checks": [{"path": "/health"}]},
            "database": {
                "variable": "MISSIONS_DATABASE_URL",
                "lock_timeout_seconds": 0.5,
                "migrations": {"command": list(command), "directory": "migrations"},
                **database,
            },
        }
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where backups and the note of a running migration are."""
    return tmp_path / "home"


@pytest.fixture
def database(
    live: Live,
    migrations: Migrations,
    home: Path,
    scratch: Callable[[], AbstractContextManager[str]],
) -> Callable[..., PostgresDatabase]:
    """`database("apply")`: the live database of a service whose migrate command does `apply`."""

    def make(
        *command: str,
        url: str = live.url,
        bin: Callable[[str], Path] = BIN.joinpath,
        directory: Path = home,
        **more: Any,
    ) -> PostgresDatabase:
        return PostgresDatabase(
            service(*(command or ("apply",)), **more),
            migrations,
            url=lambda: url,
            secrets=lambda: {"API_KEY": "another-secret"},
            directory=directory,
            bin=bin,
            scratch=scratch,
            shadow=scratch,
        )

    return make
