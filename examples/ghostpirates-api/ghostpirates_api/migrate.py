"""Apply what is pending, with the lock and the bookkeeping of sqlx 0.8.

Each file is a transaction of its own, the row that says so included. A database that holds more
migrations than this version knows is in order: a newer version was there.
"""

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from ghostpirates_api.migration_files import TABLE, Migration, migrations
from ghostpirates_api.settings import Settings

LOCK_NUMBER = 0x3D32AD9E  # sqlx's: its migrators and this one exclude each other
LOCK_WAIT_SECONDS = 0.2

Connection = psycopg.Connection[tuple[object, ...]]

CREATE_TABLE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)
"""


class MigrationError(Exception):
    """A migration could not be applied; those before it are."""


def migrate(settings: Settings) -> None:
    """Raises `MigrationError`."""
    try:
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            with _alone(connection):
                connection.execute(CREATE_TABLE)
                _apply_pending(connection)
    except psycopg.Error as error:
        raise MigrationError(str(error).strip()) from None


def _apply_pending(connection: Connection) -> None:
    known = migrations()
    applied = _applied(connection, known)
    pending = [migration for migration in known if migration.number not in applied]
    for migration in pending:
        print(f"applying {migration.number} {migration.description}", flush=True)
        seconds = _apply(connection, migration)
        print(f"applied {migration.number} in {seconds * 1000:.0f} ms", flush=True)
    print(f"{len(pending)} applied, {len(applied)} had been before", flush=True)


def _applied(connection: Connection, known: list[Migration]) -> set[int]:
    """Raises `MigrationError` if the schema is not what the files before have made."""
    checksums = {migration.number: migration.checksum for migration in known}
    applied: set[int] = set()
    query = f"SELECT version, success, checksum FROM {TABLE}"  # noqa: S608
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        for number, success, checksum in cursor.execute(query):
            if not success:
                raise MigrationError(f"Migration {number} was begun and not finished.")
            if checksums.get(number, checksum) != checksum:
                raise MigrationError(f"Migration {number} was changed after it was applied.")
            applied.add(number)
    return applied


def _apply(connection: Connection, migration: Migration) -> float:
    """The seconds that it took."""
    began = time.perf_counter()
    try:
        if migration.in_transaction:
            with connection.transaction():
                connection.execute(migration.statements)
                _record(connection, migration)
        else:
            connection.execute(migration.statements)
            _record(connection, migration)
    except psycopg.Error as error:
        raise MigrationError(
            f"Migration {migration.number} {migration.description} failed: {str(error).strip()}"
        ) from None
    seconds = time.perf_counter() - began
    connection.execute(
        f"UPDATE {TABLE} SET execution_time = %s WHERE version = %s",  # noqa: S608
        [int(seconds * 1e9), migration.number],
    )
    return seconds


def _record(connection: Connection, migration: Migration) -> None:
    connection.execute(
        f"INSERT INTO {TABLE} (version, description, success, checksum, execution_time) "  # noqa: S608
        "VALUES (%s, %s, TRUE, %s, -1)",
        [migration.number, migration.description, migration.checksum],
    )


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold sqlx's advisory lock.

    It is asked for again and again, not waited for: CREATE INDEX CONCURRENTLY waits for every
    statement that runs, also for one that waits for the lock.
    """
    lock = LOCK_NUMBER * zlib.crc32(connection.info.dbname.encode())
    while connection.execute("SELECT pg_try_advisory_lock(%s)", [lock]).fetchone() != (True,):
        time.sleep(LOCK_WAIT_SECONDS)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", [lock])
