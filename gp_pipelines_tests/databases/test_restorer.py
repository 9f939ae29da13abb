"""A restore on a real server: the old database stays, read-only; the new one is the backup."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from gp_pipelines.databases.contract import Backup, Restorer
from gp_pipelines.databases.postgres import PostgresDatabase
from gp_pipelines.errors import FenceLost, GpError, Refused, StepFailed
from gp_pipelines_tests.databases.conftest import Live, service
from gp_pipelines_tests.databases.migrations import Migrations
from gp_pipelines_tests.databases.server import BIN
from gp_pipelines_tests.databases.waiting import wait_until

RUN = "0f3c8a1e-1111-2222-3333-444455556666"
AWKWARD = 'new "one" %s'


def ignore(_: str) -> None:
    pass


def allowed() -> None:
    """The fence is held."""


@pytest.fixture
def crew(live: Live) -> Live:
    live.run(
        "CREATE TABLE crew (id serial PRIMARY KEY, name text)",
        "INSERT INTO crew (name) SELECT 'mate ' || n FROM generate_series(1, 42) n",
        'GRANT SELECT ON crew TO "Read-only ""people"""',
    )
    return live


@pytest.fixture
def missions(
    crew: Live,
    production: str,
    migrations: Migrations,
    home: Path,
    scratch: Callable[[], AbstractContextManager[str]],
) -> PostgresDatabase:
    """Its role may not make databases; the server's superuser does it."""
    return PostgresDatabase(
        service("apply"),
        migrations,
        url=lambda: crew.url,
        secrets=dict,
        directory=home,
        bin=BIN.joinpath,
        scratch=scratch,
        shadow=scratch,
        admin=lambda: production,
        room=lambda: 10**12,
    )


@pytest.fixture
def backup(missions: PostgresDatabase) -> Backup:
    return missions.backup("release-1", ignore, 120)


@pytest.fixture
def restorer(missions: PostgresDatabase) -> Iterator[Restorer]:
    restorer = missions.restorer(RUN)
    yield restorer
    restorer.drop(AWKWARD)


def at(missions: PostgresDatabase, name: str) -> Live:
    return Live(missions.at(name).url())


def test_the_new_database_holds_the_backup_and_belongs_to_the_services_role(
    missions: PostgresDatabase, backup: Backup, restorer: Restorer, crew: Live
) -> None:
    crew.run("DELETE FROM crew", "DROP TABLE crew")
    restorer.require_possible(backup, ignore)
    said = restorer.restore(backup, AWKWARD, allowed, ignore, 120)
    assert said == "1 tables with 42 rows are as they were backed up"
    restored = at(missions, AWKWARD)
    assert restored.value("SELECT current_database()") == AWKWARD
    assert restored.value("INSERT INTO crew (name) VALUES ('new') RETURNING id") == 43
    assert restored.value("SELECT tableowner FROM pg_tables WHERE tablename = 'crew'") == "app"
    assert restored.value("SELECT reltuples FROM pg_class WHERE relname = 'crew'") == 42
    assert restored.value("""SELECT has_table_privilege('Read-only "people"', 'crew', 'SELECT')""")
    restored.run("CREATE TABLE another (a int)")
    assert missions.at(AWKWARD).name() == AWKWARD
    assert missions.name() == crew.value("SELECT current_database()")


def test_what_no_dump_of_one_database_holds_is_the_same(
    missions: PostgresDatabase, backup: Backup, restorer: Restorer, crew: Live, production: str
) -> None:
    name = sql.Identifier(missions.name())
    with psycopg.connect(production, autocommit=True) as superuser:
        for statement in (
            "ALTER DATABASE {} SET search_path = 'Sea ', crew, public",
            "ALTER DATABASE {} SET work_mem = '7MB'",
            "ALTER ROLE app IN DATABASE {} SET statement_timeout = '77s'",
            "REVOKE ALL ON DATABASE {} FROM PUBLIC",
            'GRANT CONNECT ON DATABASE {} TO "Read-only ""people"""',
        ):
            superuser.execute(sql.SQL(statement).format(name))
    restorer.protect(missions.name(), allowed, ignore)
    restorer.restore(backup, AWKWARD, allowed, ignore, 120)
    old, new = crew, at(missions, AWKWARD)
    for setting in ("search_path", "work_mem", "statement_timeout"):
        assert new.value(f"SHOW {setting}") == old.value(f"SHOW {setting}")
    assert new.value("SHOW work_mem") == "7MB"
    assert new.value("SHOW default_transaction_read_only") == "off"
    may = """SELECT has_database_privilege('Read-only "people"', current_database(), '{}')"""
    assert new.value(may.format("CONNECT"))
    assert not new.value(may.format("TEMPORARY"))


def test_a_protected_database_is_read_and_not_written_to_until_that_is_taken_back(
    missions: PostgresDatabase, restorer: Restorer, crew: Live
) -> None:
    name = missions.name()
    with crew.connect() as pooled:
        assert restorer.protect(name, allowed, ignore) == 1
        with pytest.raises(psycopg.OperationalError):
            pooled.execute("SELECT 1")
    assert crew.value("SELECT count(*) FROM crew") == 42
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        crew.run("INSERT INTO crew (name) VALUES ('lost')")
    with crew.connect() as pooled:
        restorer.unprotect(name)
        with pytest.raises(psycopg.OperationalError):
            pooled.execute("SELECT 1")  # it would be read-only for as long as it is open
    crew.run("INSERT INTO crew (name) VALUES ('kept')")
    with crew.connect() as pooled:
        restorer.unprotect(name)  # once more
        pooled.execute("SELECT 1")


def test_a_write_under_way_is_ended_and_none_gets_through_afterwards(
    missions: PostgresDatabase, restorer: Restorer, crew: Live
) -> None:
    """Writers that open sessions all the time: those that have read their defaults just before."""
    stop, written = threading.Event(), [0]

    def write() -> None:
        while not stop.is_set():
            try:
                crew.run("INSERT INTO crew (name) VALUES ('more')")
                written[0] += 1
            except psycopg.Error:
                continue

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        wait_until(lambda: written[0] > 20)
        restorer.protect(missions.name(), allowed, ignore)
        rows = crew.value("SELECT count(*) FROM crew")
        attempts = written[0]
        wait_until(lambda: crew.value("SELECT 1"))
        assert crew.value("SELECT count(*) FROM crew") == rows
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert crew.value("SELECT count(*) FROM crew") == rows
    assert attempts <= written[0] <= attempts + len(writers)  # told of a write before the end


def test_a_url_that_turns_it_off_again_is_noticed(
    missions: PostgresDatabase,
    crew: Live,
    production: str,
    home: Path,
    migrations: Migrations,
    scratch: Callable[[], AbstractContextManager[str]],
) -> None:
    url = f"{crew.url}&options=-c%20default_transaction_read_only%3Doff"
    stubborn = PostgresDatabase(
        service("apply"),
        migrations,
        url=lambda: url,
        secrets=dict,
        directory=home,
        bin=BIN.joinpath,
        scratch=scratch,
        shadow=scratch,
        admin=lambda: production,
    )
    with pytest.raises(StepFailed, match="can still be written to"):
        stubborn.restorer(RUN).protect(missions.name(), allowed, ignore)


def test_a_run_that_has_lost_its_fence_changes_nothing(
    missions: PostgresDatabase, backup: Backup, restorer: Restorer, crew: Live
) -> None:
    def lost() -> None:
        raise FenceLost("another run has it")

    with pytest.raises(FenceLost):
        restorer.protect(missions.name(), lost, ignore)
    crew.run("INSERT INTO crew (name) VALUES ('kept')")
    with pytest.raises(FenceLost):
        restorer.restore(backup, AWKWARD, lost, ignore, 120)
    assert crew.value(f"SELECT count(*) FROM pg_database WHERE datname = '{AWKWARD}'") == 0


def test_a_run_that_was_stopped_between_its_fence_and_its_change_comes_too_late(
    missions: PostgresDatabase, backup: Backup, restorer: Restorer, crew: Live
) -> None:
    """Whoever took its fence has ended the restore meanwhile."""
    name = missions.name()

    def overtaken() -> None:
        missions.restorer(RUN).unprotect(name)
        missions.restorer(RUN).drop(AWKWARD)

    with pytest.raises(GpError):
        restorer.protect(name, overtaken, ignore)
    crew.run("INSERT INTO crew (name) VALUES ('kept')")
    with pytest.raises(GpError):
        restorer.restore(backup, AWKWARD, overtaken, ignore, 120)
    assert crew.value(f"SELECT count(*) FROM pg_database WHERE datname = '{AWKWARD}'") == 0


def test_a_restore_that_is_ended_while_it_runs_leaves_nothing(
    missions: PostgresDatabase, backup: Backup, restorer: Restorer, crew: Live
) -> None:
    def lost(line: str) -> None:
        missions.restorer(RUN).drop(AWKWARD)

    with pytest.raises(GpError):
        restorer.restore(backup, AWKWARD, allowed, lost, 120)
    assert crew.value(f"SELECT count(*) FROM pg_database WHERE datname = '{AWKWARD}'") == 0


def test_a_backup_that_holds_something_else_than_it_says_is_not_restored(
    missions: PostgresDatabase, backup: Backup, restorer: Restorer
) -> None:
    other = replace(backup, rows={"public.crew": 43})
    with pytest.raises(StepFailed, match=r"public\.crew has 42 rows instead of 43"):
        restorer.restore(other, AWKWARD, allowed, ignore, 120)


def test_room_rights_and_whole_files_are_asked_for_first(
    missions: PostgresDatabase,
    backup: Backup,
    restorer: Restorer,
    crew: Live,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restorer.require_possible(backup, ignore)
    monkeypatch.setattr(missions, "_room", lambda: 1000)
    with pytest.raises(StepFailed, match="too little room for a second database"):
        missions.restorer(RUN).require_possible(backup, ignore)
    monkeypatch.setattr(missions, "_room", lambda: None)  # another machine's disk
    missions.restorer(RUN).require_possible(backup, ignore)
    monkeypatch.setattr(missions, "_admin", missions._connector)
    with pytest.raises(Refused, match="The role app may not make the new database"):
        missions.restorer(RUN).require_possible(backup, ignore)
    (data,) = (Path(backup.location) / "dump").glob("*.dat.gz")
    data.write_bytes(b"")
    with pytest.raises(StepFailed, match="is not whole any more"):
        restorer.require_possible(backup, ignore)


def test_a_session_that_the_role_cannot_end_is_named_and_nothing_is_restored(
    missions: PostgresDatabase, crew: Live, production: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's own role does it, on a server of somebody else's."""
    monkeypatch.setattr("gp_pipelines.databases.read_only.LAST_SECONDS", 0.3)
    monkeypatch.setattr(missions, "_admin", missions._connector)
    name = missions.name()
    with (
        psycopg.connect(production, dbname=name, application_name="backup-tool"),
        pytest.raises(StepFailed, match=r"could not be ended: \d+ \(postgres, backup-tool\)"),
    ):
        missions.restorer(RUN).protect(name, allowed, ignore)
    missions.restorer(RUN).unprotect(name)
    crew.run("INSERT INTO crew (name) VALUES ('kept')")


def test_a_role_that_may_make_databases_needs_nobody_else(
    missions: PostgresDatabase, crew: Live, production: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it goes through the database that is read-only meanwhile."""
    monkeypatch.setattr(missions, "_admin", missions._connector)
    backup = missions.backup("release-1", ignore, 120)
    with psycopg.connect(production, autocommit=True) as superuser:
        superuser.execute("ALTER ROLE app CREATEDB")
        try:
            restorer = missions.restorer(RUN)
            restorer.require_possible(backup, ignore)
            restorer.protect(missions.name(), allowed, ignore)
            restorer.restore(backup, AWKWARD, allowed, ignore, 120)
            assert at(missions, AWKWARD).value("SELECT count(*) FROM crew") == 42
            restorer.drop(AWKWARD)
        finally:
            superuser.execute("ALTER ROLE app NOCREATEDB")
