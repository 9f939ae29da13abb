"""What a verified backup costs over pg_dump and pg_restore run by hand with the same options."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from gp_pipelines.databases.backups import Backups
from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.pg_tools import COMPRESSION, PgTools, jobs_for
from gp_pipelines.databases.store import BackupStore
from gp_pipelines.services import BackupRetention
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.postgres_place import remove_place
from gp_pipelines.targets.local.postgres_scratch import scratch
from gp_pipelines_tests.bench.figure import Progress, Value
from gp_pipelines_tests.databases.server import BIN, running_server

PAIRS = 3
TABLES = 4
BYTES = 10**9
ROW_BYTES = 560  # on disk, with the table's key
SECONDS = 600


def backup_overhead(progress: Progress, pairs: int = PAIRS, size: int = BYTES) -> dict[str, Value]:
    """The ratio of the medians; the two take turns.

    Ours has its scratch server's start and end in it. By hand, the server is there already.
    """
    by_us, by_hand = [], []
    with _live(size, progress) as url, _home() as home:
        for pair in range(1, pairs + 1):
            by_us.append(_back_up(url, home))
            by_hand.append(_by_hand(url, home))
            progress(f"pair {pair}/{pairs}: {by_us[-1]:.1f} s, by hand {by_hand[-1]:.1f} s")
    ratio = statistics.median(by_us) / statistics.median(by_hand)
    return {"backup.overhead_ratio": Value(round(ratio, 2), pairs)}


def _back_up(url: str, home: Home) -> float:
    """Seconds. Raises what `Backups.make` does."""
    connector = Connector(lambda: url, advice="")
    with tempfile.TemporaryDirectory() as directory:
        store = BackupStore(Path(directory), BackupRetention())
        backups = Backups(connector, PgTools(BIN.joinpath), lambda: scratch(home), store)
        began = time.monotonic()
        made = backups.make("by-the-bench", lambda line: None, SECONDS)
        seconds = time.monotonic() - began
    if not made.verified:
        raise RuntimeError("the backup was not verified")
    return seconds


def _by_hand(url: str, home: Home) -> float:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row
    jobs = f"--jobs={jobs_for(int(row[0]))}"
    with tempfile.TemporaryDirectory() as directory, scratch(home) as into:
        began = time.monotonic()
        dump = Path(directory) / "dump"
        _run(
            "pg_dump",
            "--format=directory",
            f"--file={dump}",
            jobs,
            f"--compress={COMPRESSION}",
            f"--dbname={url}",
        )
        _run("pg_restore", "--exit-on-error", jobs, f"--dbname={into}", str(dump))
        return time.monotonic() - began


def _run(program: str, *arguments: str) -> None:
    subprocess.run(
        [BIN / program, *arguments],
        check=True,
        capture_output=True,
        timeout=SECONDS,
        env={"PATH": os.environ["PATH"]},
    )


@contextmanager
def _live(size: int, progress: Progress) -> Iterator[str]:
    """A server with `size` bytes in tables that look like anybody's."""
    with running_server("max_wal_size=4GB", "synchronous_commit=off") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            rows = size // TABLES // ROW_BYTES
            for n in range(TABLES):
                connection.execute(
                    f"CREATE TABLE t{n} (id bigint PRIMARY KEY, at timestamptz, name text, "
                    f"body text)".encode()
                )
                connection.execute(
                    f"INSERT INTO t{n} SELECT i, now(), 'row ' || i, "
                    f"repeat(md5(i::text) || md5((i * 7)::text), 7) "
                    f"FROM generate_series(1, {rows}) i".encode()
                )
                progress(f"filled {n + 1}/{TABLES} tables with {rows:,} rows each")
            connection.execute("CHECKPOINT")
        yield url


@contextmanager
def _home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="gp-") as directory:
        Path(directory).chmod(0o711)  # the server may be another user's, and has to enter
        home = Home(Path(directory))
        try:
            yield home
        finally:
            remove_place(home)
