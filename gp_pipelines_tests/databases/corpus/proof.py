"""What really becomes of the old version's queries: run on a database with a few rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from gp_pipelines.databases.compatibility.statements import split
from gp_pipelines_tests.databases.corpus.case import Case, Query

Connection = psycopg.Connection[tuple[object, ...]]
WAIT = "300ms"


@dataclass(frozen=True)
class Ran:
    error: str
    rows: int


def connect(url: str, role: str) -> Connection:
    """As the superuser who has become `role`: with its rights, and no more."""
    connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)
    connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(role)))
    return connection


def prepare(connection: Connection, number: int, query: Query) -> None:
    connection.execute(f"PREPARE q{number} AS {query.sql}".encode())


def execute(connection: Connection, number: int, query: Query) -> Ran:
    """Rolled back: each query finds the rows as they are."""
    arguments = f"({', '.join(query.values)})" if query.values else ""
    try:
        with connection.transaction(force_rollback=True):
            cursor = connection.execute(f"EXECUTE q{number}{arguments}".encode())
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as at its end
            return Ran("", cursor.rowcount)
    except psycopg.Error as error:
        return Ran(str(error), 0)


def run_anew(connection: Connection, number: int, query: Query) -> Ran:
    """As a session does that has not prepared it yet."""
    try:
        prepare(connection, number, query)
    except psycopg.Error as error:
        return Ran(str(error), 0)
    return execute(connection, number, query)


def migrate(url: str, case: Case) -> None:
    """Each file in a transaction, unless it says otherwise."""
    with connect(url, case.migrated_by) as connection:
        for text in case.files.values():
            if text.startswith("-- no-transaction"):
                for statement in split(text):
                    connection.execute(statement.encode())
            else:
                with connection.transaction():
                    connection.execute(text.encode())


@contextmanager
def migrating(url: str, case: Case) -> Iterator[None]:
    """The migration's transaction is not over yet."""
    with (
        connect(url, case.migrated_by) as connection,
        connection.transaction(force_rollback=True),
    ):
        for text in case.files.values():
            connection.execute(text.encode())
        yield


def waits(url: str, case: Case) -> bool:
    """Whether the old version waits for the migration's transaction."""
    with migrating(url, case), connect(url, case.role) as connection:
        connection.execute(f"SET lock_timeout = '{WAIT}'".encode())
        try:
            connection.execute(case.waits.encode())
        except psycopg.errors.LockNotAvailable:
            return True
    return False


def may_connect(url: str, role: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        may = "SELECT has_database_privilege(%s, current_database(), 'CONNECT')"
        return connection.execute(may.encode(), [role]).fetchone() == (True,)
