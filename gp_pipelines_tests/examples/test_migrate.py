"""`ghostpirates-api migrate`: sqlx's bookkeeping, as the pipeline reads it."""

import time
import zlib

import pytest

from gp_pipelines.databases.sqlx import applied_migrations, pending
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.examples.sample import Sample

LOCK_NUMBER = 0x3D32AD9E  # of sqlx-postgres/src/migrate.rs


def applied(sample: Sample) -> list[int]:
    with sample.connect() as session:
        return sorted(applied_migrations(session))


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("v1", [1]),
        ("v2", [1, 2, 3]),
        ("v3", [1, 2, 3]),
        ("v4", [1, 2, 3]),
        ("v5", [1, 2, 3, 4]),
    ],
)
def test_each_version_applies_its_own_migrations_and_says_so(
    sample: Sample, version: str, numbers: list[int]
) -> None:
    files = sample.files(version)
    assert [file.number for file in files] == numbers
    output = sample.migrate(version)
    with sample.connect() as session:
        found = pending(files, applied_migrations(session))
    assert (found.versions, found.unknown, found.out_of_order) == ((), (), ())
    for number in numbers:
        assert f"applied {number} in" in output


def test_a_newer_version_applies_what_is_missing_and_a_second_run_nothing(sample: Sample) -> None:
    sample.migrate("v1")
    assert "2 applied, 1 had been before" in sample.migrate("v2")
    assert "0 applied, 3 had been before" in sample.migrate("v2")


def test_an_older_version_runs_none_of_those_that_it_does_not_know(sample: Sample) -> None:
    sample.migrate("v2")
    assert "0 applied, 3 had been before" in sample.migrate("v1")
    assert applied(sample) == [1, 2, 3]


def test_the_row_is_as_sqlx_writes_it(sample: Sample) -> None:
    sample.migrate("v2")
    with sample.connect() as session:
        rows = session.execute(
            "SELECT version, description, success, length(checksum), execution_time > 0 "
            "FROM _sqlx_migrations ORDER BY version"
        ).fetchall()
    assert rows == [
        (1, "missions", True, 48, True),
        (2, "mission crew", True, 48, True),
        (3, "missions by crew", True, 48, True),
    ]


def test_a_migration_that_fails_leaves_those_before_it_and_nothing_of_itself(
    sample: Sample,
) -> None:
    sample.migrate("v1")
    with sample.connect() as session:
        session.execute("CREATE INDEX missions_by_crew ON missions (title)")
    process = sample.start("v2", "migrate")
    output = process.communicate()[0]
    assert process.returncode == 1
    assert "Migration 3 missions by crew failed: " in output
    assert "Traceback" not in output
    assert applied(sample) == [1, 2]


def test_a_file_and_its_row_are_one_transaction(sample: Sample) -> None:
    sample.migrate("v1")
    with sample.connect() as session:
        session.execute("ALTER TABLE _sqlx_migrations ADD CHECK (version <> 2)")
    assert sample.start("v2", "migrate").wait() == 1
    with sample.connect() as session:
        columns = session.execute(
            "SELECT column_name::text FROM information_schema.columns "
            "WHERE table_name = 'missions' AND column_name = 'crew'"
        ).fetchall()
    assert columns == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("SET checksum = ''", "Migration 1 was changed after it was applied."),
        ("SET success = false", "Migration 1 was begun and not finished."),
    ],
)
def test_a_schema_that_is_not_what_the_files_have_made_is_left_alone(
    sample: Sample, change: str, reason: str
) -> None:
    sample.migrate("v1")
    with sample.connect() as session:
        session.execute(f"UPDATE _sqlx_migrations {change}".encode())
    process = sample.start("v2", "migrate")
    assert reason in process.communicate()[0]
    assert process.returncode == 1
    assert applied(sample) == [1]


def test_two_at_once_apply_each_migration_once(sample: Sample) -> None:
    """The second one waits while the first one's CREATE INDEX CONCURRENTLY waits for statements."""
    processes = [sample.start("v2", "migrate") for _ in range(3)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert sum(output.count("applied 3 in") for output in outputs) == 1
    assert applied(sample) == [1, 2, 3]


def test_it_waits_for_a_migrator_of_sqlx(sample: Sample) -> None:
    with sample.connect() as session:
        lock = LOCK_NUMBER * zlib.crc32(session.info.dbname.encode())
        session.execute("SELECT pg_advisory_lock(%s)", [lock])
        process = sample.start("v1", "migrate")
        tries = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%'"
        wait_until(lambda: session.execute(tries).fetchone(), lambda: process.poll() is None)
        time.sleep(0.5)  # tries that must all be in vain
        assert process.poll() is None
        assert applied(sample) == []
        session.execute("SELECT pg_advisory_unlock(%s)", [lock])
        assert process.wait(30) == 0
    assert applied(sample) == [1]


def test_a_database_that_is_down_is_named_without_its_password(sample: Sample) -> None:
    url = "postgresql://captain:rum-and-gold@127.0.0.1:1/missions"
    process = sample.start("v1", "migrate", DATABASE_URL=url)
    output = process.communicate()[0]
    assert process.returncode == 1
    assert "127.0.0.1" in output
    assert "rum-and-gold" not in output
