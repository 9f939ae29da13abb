"""The service's own migrate command: good, bad, hanging, forking, killed and left behind."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest

from gp_pipelines import commands
from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.migration_watch import MigrationWatch
from gp_pipelines.databases.postgres import PostgresDatabase
from gp_pipelines.errors import Refused, StepFailed, TargetUnavailable
from gp_pipelines_tests.databases.conftest import PASSWORD, Live, new_database
from gp_pipelines_tests.databases.killed_run import run_to_be_killed
from gp_pipelines_tests.databases.migrations import ARTIFACT, Migrations
from gp_pipelines_tests.databases.waiting import wait_until

MakeDatabase = Callable[..., PostgresDatabase]
RELEASE = "0f3c8a1e-1111-2222-3333-444455556666"
NEXT_RELEASE = "77777777-1111-2222-3333-444455556666"


@pytest.fixture(autouse=True)
def three(migrations: Migrations, monkeypatch: pytest.MonkeyPatch) -> Migrations:
    """Three migrations; and little grace for commands that want to be killed."""
    monkeypatch.setattr(commands, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(commands, "REPORT_SECONDS", 0.5)
    migrations.add("0001_missions.sql", "CREATE TABLE missions (id serial)")
    migrations.add("0002_add_crew.sql", "CREATE TABLE crew (id serial)")
    migrations.add("10_ships.sql", "CREATE TABLE ships (id serial)")
    return migrations


def ignore(_: str) -> None:
    pass


def tables(live: Live) -> object:
    return live.value(
        "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class "
        "WHERE relname IN ('missions', 'crew', 'ships')"
    )


def sessions(live: Live) -> object:
    return live.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND starts_with(application_name, 'gp-migrate-')"
    )


def marked(home: Path) -> list[int]:
    """Processes of the service's migration."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("GP_MIGRATION", "").startswith(str(home)):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_what_is_pending_is_applied_and_read_back(
    database: MakeDatabase, live: Live, home: Path
) -> None:
    pending = database().pending(ARTIFACT, ignore)
    assert pending.versions == ("0001_missions", "0002_add_crew", "10_ships")
    said: list[str] = []
    done = database().migrate(ARTIFACT, RELEASE, said.append, 60)
    assert done.applied == pending.versions
    assert done.output.splitlines()[-1] == "applied 10_ships.sql"
    assert any("applied 0001_missions.sql" in line for line in said)
    assert tables(live) == ["crew", "missions", "ships"]
    assert not database().pending(ARTIFACT, ignore)
    assert not (home / "migration.json").exists()


def test_with_nothing_pending_the_command_is_not_run(database: MakeDatabase) -> None:
    database().migrate(ARTIFACT, RELEASE, ignore, 60)
    done = database("fail_halfway").migrate(ARTIFACT, RELEASE, ignore, 60)
    assert done.applied == ()


def test_an_older_version_finds_migrations_that_it_does_not_know(
    database: MakeDatabase, three: Migrations
) -> None:
    database().migrate(ARTIFACT, RELEASE, ignore, 60)
    three.remove("10_ships.sql")
    pending = database().pending(ARTIFACT, ignore)
    assert not pending
    assert pending.unknown == (10,)


def test_one_that_is_older_than_what_is_applied_is_refused(
    database: MakeDatabase, three: Migrations
) -> None:
    database().migrate(ARTIFACT, RELEASE, ignore, 60)
    three.add("3_late.sql", "CREATE TABLE late ()")
    with pytest.raises(Refused, match="3_late would be applied after newer"):
        database().pending(ARTIFACT, ignore)


def test_the_contract_phase_has_an_order_of_its_own_and_is_known_to_its_version(
    database: MakeDatabase, three: Migrations, live: Live
) -> None:
    contract = {"command": ["apply"], "directory": "contract"}
    database().migrate(ARTIFACT, RELEASE, ignore, 60)
    (three.root / "contract").mkdir()
    (three.root / "contract" / "9_drop_crew.sql").write_text("DROP TABLE crew")
    own = database(contract=contract)
    assert own.contracting().pending(ARTIFACT, ignore).versions == ("9_drop_crew",)
    live.run(
        "INSERT INTO _sqlx_migrations VALUES (9, 'drop crew', now(), true, "
        "sha384('DROP TABLE crew'), 0)"
    )
    assert not own.contracting().pending(ARTIFACT, ignore)
    assert own.pending(ARTIFACT, ignore).unknown == ()
    assert database().pending(ARTIFACT, ignore).unknown == (9,)


def test_a_changed_and_an_unfinished_migration_are_refused(
    database: MakeDatabase, live: Live, three: Migrations
) -> None:
    database().migrate(ARTIFACT, RELEASE, ignore, 60)
    three.add("0002_add_crew.sql", "CREATE TABLE crew (id bigserial)")
    with pytest.raises(Refused, match=r"0002_add_crew\.sql was changed"):
        database().pending(ARTIFACT, ignore)
    live.run("UPDATE _sqlx_migrations SET success = false WHERE version = 10")
    for ask in (
        lambda: database().pending(ARTIFACT, ignore),
        lambda: database().migrate(ARTIFACT, RELEASE, ignore, 60),
    ):
        with pytest.raises(Refused, match="10_ships was begun and not finished"):
            ask()


def test_a_command_that_fails_halfway(database: MakeDatabase, live: Live, home: Path) -> None:
    with pytest.raises(StepFailed, match=r"failed \(exit code 3\)") as failed:
        database("fail_halfway").migrate(ARTIFACT, RELEASE, ignore, 60)
    assert "disk of the future is full" in failed.value.what
    assert failed.value.state == (
        "Applied by it: 0001_missions. Still pending: 0002_add_crew, 10_ships. "
        "Traffic is where it was."
    )
    assert tables(live) == ["missions"]
    assert database().migrate(ARTIFACT, RELEASE, ignore, 60).applied == (
        "0002_add_crew",
        "10_ships",
    )


def test_a_command_that_ends_well_without_applying(database: MakeDatabase) -> None:
    with pytest.raises(StepFailed, match="ended well, but did not apply everything") as failed:
        database("do_nothing").migrate(ARTIFACT, RELEASE, ignore, 60)
    assert "nothing to do, as far as I can tell" in failed.value.what
    assert "Applied by it: none. Still pending: 0001_missions, 0002" in failed.value.state


def test_a_command_may_hold_a_lock_in_one_session_and_migrate_in_another(
    database: MakeDatabase, live: Live
) -> None:
    done = database("apply_under_a_lock").migrate(ARTIFACT, RELEASE, ignore, 60)
    assert done.applied == ("0001_missions", "0002_add_crew", "10_ships")
    assert sessions(live) == 0


def test_a_transaction_that_a_command_leaves_open_holds_nothing(
    database: MakeDatabase, live: Live
) -> None:
    database("leave_a_transaction_open").migrate(ARTIFACT, RELEASE, ignore, 60)
    assert sessions(live) == 0
    assert tables(live) == ["crew", "missions", "ships"]
    live.run("INSERT INTO missions DEFAULT VALUES")


@pytest.mark.parametrize("how", ["hang", "ignore_sigterm"])
def test_a_command_that_hangs_is_ended_with_its_session(
    database: MakeDatabase, live: Live, home: Path, how: str
) -> None:
    said: list[str] = []
    with pytest.raises(StepFailed, match="did not end within 4 s") as failed:
        database(how).migrate(ARTIFACT, RELEASE, said.append, 4)
    assert "Applied by it: 0001_missions. Still pending" in failed.value.state
    assert any("running for" in line for line in said)
    assert sessions(live) == 0
    assert marked(home) == []


@pytest.mark.parametrize("how", ["apply_then_fork", "leave_the_group"])
def test_children_that_a_command_leaves_behind_are_ended(
    database: MakeDatabase, live: Live, home: Path, three: Migrations, how: str
) -> None:
    if how == "apply_then_fork":
        assert len(database(how).migrate(ARTIFACT, RELEASE, ignore, 60).applied) == 3
    else:
        with pytest.raises(StepFailed, match="did not apply everything"):
            database(how).migrate(ARTIFACT, RELEASE, ignore, 60)
    assert (three.root / "child-is-connected").exists()
    assert sessions(live) == 0
    assert marked(home) == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_ends_the_command_and_its_session(
    database: MakeDatabase, live: Live, home: Path, kind: type[BaseException]
) -> None:
    def interrupt(said: str) -> None:
        if "applied" in said:
            wait_until(lambda: sessions(live))
            raise kind

    with pytest.raises(kind):
        database("ignore_sigterm").migrate(ARTIFACT, RELEASE, interrupt, 60)
    assert sessions(live) == 0
    assert marked(home) == []
    assert len(database().migrate(ARTIFACT, RELEASE, ignore, 60).applied) == 2


def test_secrets_that_a_command_prints_are_taken_out(database: MakeDatabase) -> None:
    said: list[str] = []
    with pytest.raises(StepFailed) as failed:
        database("print_secrets").migrate(ARTIFACT, RELEASE, said.append, 60)
    shown = str(failed.value) + "\n".join(said)
    assert "greeting ahoy" in shown
    assert "connecting to ***" in shown
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "another-secret"):
        assert secret not in shown


def test_a_flood_of_output_is_few_reports(database: MakeDatabase) -> None:
    said: list[str] = []
    done = database("be_chatty").migrate(ARTIFACT, RELEASE, said.append, 60)
    assert done.output.endswith("line 4999")
    assert sum(len(line.splitlines()) for line in said) < 500


def test_the_password_is_in_no_argument_list(database: MakeDatabase) -> None:
    seen = ""

    def look(said: str) -> None:
        nonlocal seen
        for process in psutil.process_iter(["cmdline"]):
            seen += " ".join(process.info["cmdline"] or ()) + "\n"

        if "applied" in said:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database("hang").migrate(ARTIFACT, RELEASE, look, 60)
    assert "migrate_command.py hang" in seen
    assert PASSWORD not in seen
    assert quote(PASSWORD, safe="") not in seen


def test_a_command_that_does_not_exist(
    database: MakeDatabase, three: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Migrations, "command", lambda *_: (["/nowhere/ghostpirates-api", "migrate"], three.root)
    )
    with pytest.raises(StepFailed, match="/nowhere/ghostpirates-api could not be run: No such"):
        database().migrate(ARTIFACT, RELEASE, ignore, 60)


def test_a_database_that_is_down(database: MakeDatabase) -> None:
    with pytest.raises(TargetUnavailable, match=r"127\.0\.0\.1:1/missions") as unavailable:
        database(url="postgresql://app:hidden@127.0.0.1:1/missions").migrate(
            ARTIFACT, RELEASE, ignore, 60
        )
    assert "hidden" not in str(unavailable.value)


def test_a_database_that_goes_down_meanwhile(
    database: MakeDatabase, live: Live, production: str
) -> None:
    url = live.url

    def break_it(said: str) -> None:
        nonlocal url
        if "applied" in said:
            url = "postgresql://app:hidden@127.0.0.1:1/missions"

    made = database("fail_halfway")
    made._connector._url = lambda: url
    with pytest.raises(StepFailed, match=r"failed \(exit code 3\)") as failed:
        made.migrate(ARTIFACT, RELEASE, break_it, 60)
    assert "could not be read" in failed.value.state
    assert "could not be ended" in failed.value.what


@pytest.fixture
def left_behind(
    live: Live, home: Path, three: Migrations
) -> Iterator[Callable[[str], dict[str, Any]]]:
    """`left_behind(how)`: a migration whose run was killed with SIGKILL; what it noted."""

    def leave(how: str) -> dict[str, Any]:
        arguments = {
            "step": "migrate",
            "release_id": RELEASE,
            "url": live.url,
            "artifact": str(three.root),
            "home": str(home),
            "bin": "unused",
            "do": how,
        }
        child = three.root / "child-is-connected"
        until = child.exists if "fork" in how else lambda: sessions(live)
        with run_to_be_killed(arguments, until=until):
            pass
        note: dict[str, Any] = json.loads((home / "migration.json").read_text())
        return note

    yield leave
    for pid in marked(home):
        os.kill(pid, signal.SIGKILL)
    live.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        "datname = current_database() AND starts_with(application_name, 'gp-migrate-')"
    )


def test_a_migration_left_by_a_killed_run_is_named_and_none_is_started_beside_it(
    database: MakeDatabase, live: Live, home: Path, left_behind: Callable[[str], dict[str, Any]]
) -> None:
    pid = left_behind("sleep_on_the_server")["pid"]
    assert psutil.pid_exists(pid)
    for step in (
        lambda: database().migrate(ARTIFACT, NEXT_RELEASE, ignore, 60),
        lambda: database().backup(NEXT_RELEASE, ignore, 60),
    ):
        with pytest.raises(Refused) as refused:
            step()
        assert "release 0f3c8a1e" in refused.value.what
        assert f"process {pid}, since 20" in refused.value.what
        assert f"`kill {pid}`" in refused.value.advice
        assert PASSWORD not in str(refused.value)
    assert tables(live) is None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not marked(home))
    live.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE "
        "datname = current_database() AND starts_with(application_name, 'gp-migrate-')"
    )
    assert len(database().migrate(ARTIFACT, NEXT_RELEASE, ignore, 60).applied) == 3


def test_without_its_note_it_is_found_by_its_processes(
    database: MakeDatabase, home: Path, left_behind: Callable[[str], dict[str, Any]]
) -> None:
    pid = left_behind("sleep_on_the_server")["pid"]
    (home / "migration.json").unlink()  # killed before it was written
    with pytest.raises(Refused, match=rf"release 0f3c8a1e .* \(process {pid}, since"):
        database().migrate(ARTIFACT, NEXT_RELEASE, ignore, 60)


def test_without_note_and_process_it_is_found_by_its_session(
    database: MakeDatabase, home: Path, live: Live, left_behind: Callable[[str], dict[str, Any]]
) -> None:
    """As from another machine; and as the server goes on when the client has been killed."""
    pid = left_behind("sleep_on_the_server")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not marked(home))
    assert sessions(live) == 1
    with pytest.raises(
        Refused, match=r"release 0f3c8a1e .* \(session \d+ on the server"
    ) as refused:
        database().migrate(ARTIFACT, NEXT_RELEASE, ignore, 60)
    assert "SELECT pg_terminate_backend(" in refused.value.advice


def test_a_child_is_found_when_the_command_itself_has_ended(
    database: MakeDatabase,
    home: Path,
    three: Migrations,
    left_behind: Callable[[str], dict[str, Any]],
) -> None:
    pid = left_behind("fork_and_wait_for_the_run_to_be_killed")["pid"]
    wait_until(lambda: pid not in marked(home))
    child = int((three.root / "child").read_text())
    with pytest.raises(Refused, match=f"process {child}, since"):
        database().migrate(ARTIFACT, NEXT_RELEASE, ignore, 60)


def test_a_note_about_a_process_whose_id_went_to_another_is_no_migration(
    database: MakeDatabase, home: Path
) -> None:
    home.mkdir()
    process = psutil.Process()
    note = {"release_id": RELEASE, "pid": os.getpgid(0), "started": process.create_time() + 3600}
    (home / "migration.json").write_text(json.dumps(note))
    assert len(database().migrate(ARTIFACT, RELEASE, ignore, 60).applied) == 3


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"pid": 1}', "not json"])
def test_a_note_that_cannot_be_read_is_no_migration(
    database: MakeDatabase, home: Path, note: str
) -> None:
    home.mkdir()
    (home / "migration.json").write_text(note)
    assert len(database().migrate(ARTIFACT, RELEASE, ignore, 60).applied) == 3


def test_two_runs_at_the_same_time(
    database: MakeDatabase, live: Live, home: Path, three: Migrations
) -> None:
    arguments = {
        "step": "migrate",
        "release_id": RELEASE,
        "url": live.url,
        "artifact": str(three.root),
        "home": str(home),
        "bin": "unused",
        "do": "sleep_on_the_server",
    }
    try:
        with run_to_be_killed(arguments, until=lambda: sessions(live)):
            with pytest.raises(Refused, match="release 0f3c8a1e"):
                database().migrate(ARTIFACT, NEXT_RELEASE, ignore, 60)
            assert sessions(live) == 1
    finally:
        for pid in marked(home):
            os.kill(pid, signal.SIGKILL)


def test_another_service_migrates_meanwhile(
    database: MakeDatabase,
    production: str,
    home: Path,
    left_behind: Callable[[str], dict[str, Any]],
) -> None:
    """Its database and its directory are others, on the same server: it is not in the way."""
    left_behind("sleep_on_the_server")
    other = database(url=new_database(production).url, directory=home.with_name("another"))
    assert len(other.migrate(ARTIFACT, NEXT_RELEASE, ignore, 60).applied) == 3


class HeldLock:
    """A session that reads the table `missions`, and does not end its transaction."""

    def __init__(self, live: Live) -> None:
        live.run("CREATE TABLE missions (id serial)")
        self._connection = live.connect()
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT * FROM missions")
        self.pid = self._connection.info.backend_pid

    def end(self) -> None:
        self._connection.close()


@pytest.fixture
def held(live: Live, three: Migrations) -> Iterator[HeldLock]:
    three.add("0001_missions.sql", "ALTER TABLE missions ADD COLUMN crew text")
    held = HeldLock(live)
    yield held
    held.end()


def test_a_lock_that_is_not_given_is_asked_for_again_and_who_holds_it_is_named(
    database: MakeDatabase, held: HeldLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "REPORT_SECONDS", 0.1)
    said: list[str] = []

    def progress(line: str) -> None:
        said.append(line)
        if "trying again" in line:
            held.end()

    done = database().migrate(ARTIFACT, RELEASE, progress, 60)
    assert done.applied == ("0001_missions", "0002_add_crew", "10_ships")
    assert any(f"waits for session {held.pid} (app" in line for line in said), said
    assert any("1 of 5 tries" in line for line in said)


@pytest.mark.usefixtures("held")
def test_a_lock_that_is_never_given_fails_the_migration_after_some_tries(
    database: MakeDatabase, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gp_pipelines.databases.migrate.LOCK_TRIES", 2)
    said: list[str] = []
    with pytest.raises(StepFailed, match="lock timeout") as failed:
        database().migrate(ARTIFACT, RELEASE, said.append, 60)
    assert "Applied by it: none" in failed.value.state
    assert sum("trying again" in line for line in said) == 1
    assert sessions(live) == 0


def test_what_fails_for_another_reason_is_not_tried_again(database: MakeDatabase) -> None:
    said: list[str] = []
    with pytest.raises(StepFailed):
        database("fail_halfway").migrate(ARTIFACT, RELEASE, said.append, 60)
    assert not any("trying again" in line for line in said)


def test_a_statement_that_takes_longer_than_it_may_is_ended(
    database: MakeDatabase, three: Migrations
) -> None:
    three.add("0001_missions.sql", "SELECT pg_sleep(600)")
    slow = database(statement_timeout_seconds=0.2)
    with pytest.raises(StepFailed, match="statement timeout"):
        slow.migrate(ARTIFACT, RELEASE, ignore, 60)


def test_an_invalid_index_that_a_failure_leaves_is_named(
    database: MakeDatabase, live: Live
) -> None:
    live.run("CREATE TABLE ports (name text)", "INSERT INTO ports VALUES ('a'), ('a')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        live.run("CREATE UNIQUE INDEX CONCURRENTLY ports_name ON ports (name)")
    with pytest.raises(StepFailed) as failed:
        database("fail_halfway").migrate(ARTIFACT, RELEASE, ignore, 60)
    assert "Invalid indexes are left, which cost writes and serve nobody: ports_name." in (
        failed.value.state
    )


def test_how_far_an_index_is_is_told(live: Live) -> None:
    live.run(
        "CREATE TABLE big AS SELECT g AS id, repeat('x', 200) AS name "
        "FROM generate_series(1, 400000) AS g"
    )
    watch = MigrationWatch(Connector(lambda: live.url, advice=""), "gp-migrate-index")
    with psycopg.connect(live.url, application_name="gp-migrate-index") as builder:
        build = threading.Thread(target=builder.execute, args=("CREATE INDEX ON big (name, id)",))
        build.start()
        seen: set[str] = set()
        while build.is_alive():
            seen.add(watch.describe())
        build.join()
    assert any(said.startswith("index on big: ") for said in seen), seen
