"""A migrate command over sqlx's layout and table, good or bad as its first argument says.

It runs as a program of its own, in the directory that holds `migrations/`.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

TABLE = """
CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY, description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)
"""


def connect() -> psycopg.Connection:
    return psycopg.connect(os.environ["MISSIONS_DATABASE_URL"], autocommit=True)


def apply(most: int = 1000) -> None:
    with connect() as connection:
        connection.execute(TABLE)
        applied = {row[0] for row in connection.execute("SELECT version FROM _sqlx_migrations")}
        files = {int(f.name.split("_")[0]): f for f in Path("migrations").glob("*_*.sql")}
        for number in sorted(set(files) - applied)[:most]:
            file = files[number]
            description = file.name.removesuffix(".sql").split("_", 1)[1].replace("_", " ")
            with connection.transaction():
                connection.execute(file.read_bytes())
                connection.execute(
                    "INSERT INTO _sqlx_migrations VALUES (%s, %s, now(), true, %s, 0)",
                    [number, description, hashlib.sha384(file.read_bytes()).digest()],
                )
            print(f"applied {file.name}", flush=True)


def sleep_on_the_server() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with connect() as connection:
        connection.execute("SELECT pg_sleep(600)")


def hang() -> None:
    apply(most=1)
    time.sleep(600)


def ignore_sigterm() -> None:
    apply(most=1)
    sleep_on_the_server()


def fork(start_new_session: bool = False) -> None:
    """Leave a child behind that works on the database and holds the output open."""
    child = subprocess.Popen(
        [sys.executable, __file__, "sleep_on_the_server"], start_new_session=start_new_session
    )
    Path("child").write_text(str(child.pid))
    while not Path("child-is-connected").exists():
        with connect() as connection:
            query = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
            if connection.execute(query).fetchone():
                Path("child-is-connected").touch()
        time.sleep(0.02)


def fork_and_wait_for_the_run_to_be_killed() -> None:
    run = os.getppid()
    fork()
    while os.getppid() == run:
        time.sleep(0.02)


def leave_the_group() -> None:
    fork(start_new_session=True)


def apply_then_fork() -> None:
    apply()
    fork()


def apply_under_a_lock() -> None:
    """As many tools do: one session holds an advisory lock, another one migrates."""
    with connect() as holds, connect() as asks:
        holds.execute("SELECT pg_advisory_lock(4711)")
        row = asks.execute("SELECT pg_try_advisory_lock(4711)").fetchone()
        if row != (False,):
            sys.exit("the lock is another session's, and was given: these are no sessions")
        apply()


def leave_a_transaction_open() -> None:
    apply()
    connection = connect()
    connection.execute("BEGIN")
    connection.execute("LOCK TABLE missions")
    connection.execute("DROP TABLE ships")
    os._exit(0)


def fail_halfway() -> None:
    apply(most=1)
    print("the second one cannot be applied: disk of the future is full", flush=True)
    sys.exit(3)


def do_nothing() -> None:
    print("nothing to do, as far as I can tell", flush=True)


def print_secrets() -> None:
    url = os.environ["MISSIONS_DATABASE_URL"]
    print(f"connecting to {url}", flush=True)
    print(f"password={psycopg.conninfo.conninfo_to_dict(url)['password']}", flush=True)
    print(f"{psycopg.conninfo.conninfo_to_dict(url)['password']}", file=sys.stderr, flush=True)
    print("x" * 70_000 + url, flush=True)
    print(f"key {os.environ['API_KEY']}", flush=True)
    print(f"greeting {os.environ['GREETING']}", flush=True)
    sys.exit(1)


def be_chatty() -> None:
    apply()
    for number in range(5000):
        print(f"line {number}")


def execute(*statements: str) -> None:
    """Without any layout, and without a table."""
    with connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
