"""What a migration executes is known, whoever executes it and however."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from gp_pipelines.databases.compatibility.migrations import ForeignCommand, SqlFile
from gp_pipelines.databases.compatibility.replay import Replayed, replay
from gp_pipelines_tests.databases.compatibility.conftest import MakeShadow
from gp_pipelines_tests.databases.conftest import Live


def replayed(shadow: MakeShadow, migrations: Sequence[SqlFile] | ForeignCommand) -> Replayed:
    with shadow() as made:
        return replay(made, migrations, deadline=time.monotonic() + 60, progress=lambda line: None)


def python(code: str, **options: float) -> ForeignCommand:
    """A migrate command of its own: it has the URL in DATABASE_URL, and `run` for statements."""
    head = (
        "import os, sys, time, subprocess, psycopg\n"
        "connect = lambda: psycopg.connect(os.environ['DATABASE_URL'], autocommit=True)\n"
    )
    argv = (sys.executable, "-c", head + code)
    return ForeignCommand(argv, Path("/"), {}, "DATABASE_URL", **options)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _missions(live: Live) -> None:
    live.run("CREATE TABLE missions (id int PRIMARY KEY, title text)")


def test_each_statement_of_a_file_is_known_and_those_within_it(shadow: MakeShadow) -> None:
    done = replayed(
        shadow,
        [
            SqlFile(
                "1.sql",
                "ALTER TABLE missions ADD COLUMN crew int;\n"
                "DO $$ BEGIN EXECUTE 'ALTER TABLE missions DROP COLUMN title';\n"
                "UPDATE missions SET crew = 4; END $$;",
            )
        ],
    )
    assert done.failure is None
    texts = [each.text for each in done.executed]
    assert texts[0] == "ALTER TABLE missions ADD COLUMN crew int"
    assert "UPDATE missions SET crew = $1" in texts
    nested = {each.statement for each in done.seen if each.nested}
    assert nested == {"ALTER TABLE missions DROP COLUMN title"}
    assert not any("gp_replay" in each for each in texts)


def test_locks_and_rewrites_are_seen_while_they_are_held(shadow: MakeShadow) -> None:
    added = "ALTER TABLE missions ADD COLUMN at timestamptz DEFAULT clock_timestamp()"
    done = replayed(shadow, [SqlFile("1.sql", added)])
    rewritten = {each.rewritten for each in done.seen} - {None}
    assert len(rewritten) == 1
    (table,) = rewritten
    assert (table, "AccessExclusiveLock") in done.seen[-1].locks


def test_a_file_that_fails_is_told_and_nothing_after_it_is_tried(shadow: MakeShadow) -> None:
    done = replayed(
        shadow,
        [
            SqlFile("1.sql", "CREATE TABLE crew (id int); SELECT 1 / 0;"),
            SqlFile("2.sql", "CREATE TABLE more (id int);"),
        ],
    )
    assert done.failure is not None
    assert (done.failure.source, done.failure.statement) == ("1.sql", "SELECT 1 / 0")
    assert done.failure.error == "division by zero"
    assert not any("more" in each.text for each in done.executed)


def test_concurrently_needs_a_file_without_a_transaction(shadow: MakeShadow) -> None:
    statement = "CREATE INDEX CONCURRENTLY ON missions (title)"
    refused = replayed(shadow, [SqlFile("1.sql", statement)])
    assert refused.failure is not None
    assert "cannot run inside a transaction block" in refused.failure.error
    assert replayed(shadow, [SqlFile("1.sql", f"-- no-transaction\n{statement}")]).failure is None


def test_a_file_that_leaves_a_transaction_open_is_told(shadow: MakeShadow) -> None:
    done = replayed(shadow, [SqlFile("1.sql", "-- no-transaction\nBEGIN; SELECT 1;")])
    assert done.failure is not None
    assert "transaction open" in done.failure.error


def test_a_file_may_have_a_transaction_of_its_own(shadow: MakeShadow) -> None:
    done = replayed(shadow, [SqlFile("1.sql", "BEGIN; CREATE TABLE crew (id int); COMMIT;")])
    assert done.failure is None
    assert any(each.tag == "CREATE TABLE" for each in done.seen)


def test_what_a_foreign_command_sends_is_known_in_its_order(shadow: MakeShadow) -> None:
    done = replayed(
        shadow,
        python(
            "c = connect(); d = connect()\n"
            "c.execute('ALTER TABLE missions ADD COLUMN crew int')\n"
            "d.execute('UPDATE missions SET crew = %s', [3])\n"
            "c.execute('ALTER TABLE missions DROP COLUMN title')\n"
        ),
    )
    assert done.failure is None
    assert [each.text for each in done.executed] == [
        "ALTER TABLE missions ADD COLUMN crew int",
        "UPDATE missions SET crew = $1",
        "ALTER TABLE missions DROP COLUMN title",
    ]
    assert [each.tag for each in done.seen if each.moment == "ddl_command_end"] == [
        "ALTER TABLE",
        "ALTER TABLE",
    ]


def test_what_a_foreign_command_does_in_a_transaction_is_told_from_what_it_does_outside(
    shadow: MakeShadow,
) -> None:
    done = replayed(
        shadow,
        python(
            "one, other = connect(), connect()\n"
            "one.execute('BEGIN')\n"
            "one.execute('SAVEPOINT before')\n"
            "one.execute('ALTER TABLE missions ADD a int')\n"
            "one.execute('ROLLBACK TO before')\n"
            "one.execute('ALTER TABLE missions ADD b int')\n"
            "other.execute('SELECT 1')\n"
            "one.execute('COMMIT')\n"
            "one.execute('CREATE INDEX CONCURRENTLY ON missions (b)')\n"
        ),
    )
    assert done.failure is None
    assert {each.text: each.in_transaction for each in done.executed} == {
        "SAVEPOINT before": True,
        "ALTER TABLE missions ADD a int": True,
        "ROLLBACK TO before": True,
        "ALTER TABLE missions ADD b int": True,
        "SELECT 1": False,
        "CREATE INDEX CONCURRENTLY ON missions (b)": False,
    }


def test_a_command_may_lock_as_migration_tools_do(shadow: MakeShadow) -> None:
    done = replayed(
        shadow,
        python(
            "c = connect(); c.execute('SELECT pg_advisory_lock(7)')\n"
            "c.execute('CREATE TABLE crew (id int)'); c.execute('SELECT pg_advisory_unlock(7)')\n"
        ),
    )
    assert done.failure is None


def test_a_transaction_that_a_command_leaves_open_holds_nothing(shadow: MakeShadow) -> None:
    child = (
        "import os, time, psycopg; c = psycopg.connect(os.environ['DATABASE_URL']); "
        "c.execute('LOCK TABLE missions'); print('locked', flush=True); time.sleep(60)"
    )
    code = (
        f'p = subprocess.Popen([sys.executable, "-c", "{child}"], stdout=subprocess.PIPE, '
        "start_new_session=True); p.stdout.readline()"
    )
    with shadow() as made:
        done = replay(
            made, python(code), deadline=time.monotonic() + 60, progress=lambda line: None
        )
        assert done.failure is None
        with made.database.session() as session:
            session.execute("SET lock_timeout = '2s'")
            session.execute("ALTER TABLE missions ADD COLUMN free int")


def test_a_command_that_fails_is_told_without_its_secrets(shadow: MakeShadow) -> None:
    done = replayed(shadow, python("print(os.environ['DATABASE_URL']); sys.exit(3)"))
    assert done.failure is not None
    assert "exit code 3" in done.failure.error
    assert "postgresql://app:" not in done.failure.error.replace("app:***", "")


def test_what_a_command_leaves_running_changes_nothing_more(shadow: MakeShadow) -> None:
    child = (
        "import os, time, psycopg\n"
        "connection = psycopg.connect(os.environ['DATABASE_URL'], autocommit=True)\n"
        "connection.execute('CREATE TABLE begun ()')\n"
        "connection.execute('SELECT pg_sleep(600)')\n"
        "connection.execute('CREATE TABLE ended ()')\n"
    )
    with shadow() as made:
        replay(
            made,
            python(
                f"subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)\n"
                "one = connect()\n"
                "while one.execute(\"SELECT to_regclass('begun')\").fetchone() == (None,):\n"
                "    time.sleep(0.02)\n"
            ),
            deadline=time.monotonic() + 60,
            progress=lambda line: None,
        )
        with made.server.session() as session:
            left = session.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
            ).fetchone()
    assert left == (0,)


def test_a_command_that_does_not_end_is_ended(shadow: MakeShadow) -> None:
    done = replayed(
        shadow,
        python(
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
            timeout=1.0,
        ),
    )
    assert done.failure is not None
    assert "did not end" in done.failure.error
