"""How long `gp migrations check` takes: the whole command, its process and scratch server too."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from gp_pipelines_tests.bench.figure import Progress, Value
from gp_pipelines_tests.databases.server import PASSWORD, running_server

CHECKS = 9
LARGE_CHECKS = 3
TABLES, FILES = 500, 100
CHECK_SECONDS = 120
QUERIES = "SELECT id, title FROM missions WHERE id = $1; INSERT INTO missions (title) VALUES ($1);"


def one_migration(progress: Progress, checks: int = CHECKS) -> dict[str, Value]:
    """The median of as many checks of one file on a small schema, in seconds."""
    schema = "CREATE TABLE missions (id serial PRIMARY KEY, title text NOT NULL)"
    files = {"1.sql": "ALTER TABLE missions ADD COLUMN crew text"}
    with _live(schema) as url:
        seconds = _median(url, files, checks, progress)
    return {"gate.one_migration_s": Value(round(seconds, 2), checks)}


def large_schema(progress: Progress, checks: int = LARGE_CHECKS) -> dict[str, Value]:
    """The same of 100 pending files over 500 tables, each with keys, an index and a check."""
    tables = "CREATE TABLE missions (id serial PRIMARY KEY, title text NOT NULL);" + "".join(
        f"CREATE TABLE t{n} (id bigserial PRIMARY KEY, mission int REFERENCES missions, "
        f"name text NOT NULL, at timestamptz DEFAULT now(), n int CHECK (n >= 0));"
        f"CREATE INDEX ON t{n} (name);"
        for n in range(TABLES)
    )
    files = {
        f"{n:03d}.sql": f"ALTER TABLE t{n} ADD COLUMN more text; CREATE TABLE new{n} (id int);"
        for n in range(FILES)
    }
    with _live(tables) as url:
        seconds = _median(url, files, checks, progress)
    return {"gate.large_schema_s": Value(round(seconds, 2), checks)}


def _median(url: str, files: Mapping[str, str], checks: int, progress: Progress) -> float:
    with tempfile.TemporaryDirectory() as directory:
        migrations = Path(directory) / "migrations"
        migrations.mkdir()
        for name, text in files.items():
            (migrations / name).write_text(text)
        queries = Path(directory) / "queries.sql"
        queries.write_text(QUERIES)
        taken = [_check(migrations, queries, url) for _ in range(checks)]
    progress(f"{checks} checks took {min(taken):.2f} to {max(taken):.2f} s")
    return statistics.median(taken)


def _check(migrations: Path, queries: Path, url: str) -> float:
    """Seconds. Raises RuntimeError unless it found them compatible."""
    gp = str(Path(sys.executable).parent / "gp")
    began = time.monotonic()
    done = subprocess.run(
        [
            *(gp, "migrations", "check", "--json", "--url", url),
            *("--sql", str(migrations), "--queries", str(queries)),
        ],
        env={**os.environ, "PGPASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
    )
    seconds = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-500:]}")
    return seconds


@contextmanager
def _live(schema: str) -> Iterator[str]:
    """The URL, without its password, of a server with that schema."""
    with running_server() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(schema.encode())
        host = psycopg.conninfo.conninfo_to_dict(url)["host"]
        yield f"postgresql://postgres@/postgres?host={host}"
