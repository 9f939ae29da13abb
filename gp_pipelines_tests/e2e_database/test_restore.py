"""Destroyed data brought back, on the whole stack and a real PostgreSQL."""

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gp_pipelines import restrictions
from gp_pipelines.databases.contract import Backup
from gp_pipelines.targets.local.postgres import EmbeddedPostgres
from gp_pipelines_tests.databases.conftest import Live
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project, Said, TestedService
from gp_pipelines_tests.load import Load

pytestmark = pytest.mark.xdist_group("e2e-database")

OWN = "treasure"  # the database's name, too
STEPS = ["choose", "confirm", "restore", "verify", "repoint"]
TITLES = "SELECT array_agg(title ORDER BY id) FROM missions WHERE title LIKE 'dig%'"


@pytest.fixture(scope="module")
def with_both(project: Project) -> TestedService:
    service = project.service(OWN)
    service.release("v1")
    return service


@pytest.fixture
def treasure(with_both: TestedService) -> TestedService:
    """v2 is live. v1 is warm, until a test has restored something."""
    with_both.settle()
    if with_both.live != "v2":
        with_both.release("v2")
    return with_both


def data(service: TestedService) -> Live:
    """Where the service has them now."""
    return Live(service.platform.database.url())  # type: ignore[union-attr]


def is_read_only(service: TestedService) -> bool:
    return data(service).value("SHOW default_transaction_read_only") == "on"


def back_up(service: TestedService, *titles: str) -> Backup:
    """With these missions in it."""
    assert service.platform.database
    for title in titles:
        data(service).run(f"INSERT INTO missions (title) VALUES ('{title}')")
    return service.platform.database.backup("by-hand", print, 60)


def restore(service: TestedService, backup: str, *more: str) -> Said:
    asked = ("--backup", backup, "--reason", "somebody dropped it", "--confirm", service.name)
    return service.gp("restore", *asked, *more)


def begun(service: TestedService, backup: Backup, then: signal.Signals) -> str:
    """A run that gets a signal when users can't write any more, and nothing was restored yet.

    It is held up there by somebody who lets nobody make a database.
    """
    superuser = EmbeddedPostgres(service.project.home).superuser_url()
    with psycopg.connect(superuser) as session:
        session.execute("LOCK TABLE pg_database IN SHARE MODE")
        run_id = service.dagster.launch(
            "restore",
            service=service.name,
            backup=backup.id,
            operator="ann",
            reason="somebody dropped it",
            confirm=service.name,
        )
        process = service.dagster.process_of(run_id)
        wait_until(lambda: is_read_only(service), seconds=60, every=0.05)
        os.kill(process, then)
        session.rollback()
    return run_id


def test_what_is_not_meant_or_not_confirmed_changes_nothing(treasure: TestedService) -> None:
    backup = back_up(treasure)
    live, database = treasure.shown["live"], data(treasure).value("SELECT current_database()")
    for arguments, message in (
        ((), "There are:"),
        (("--backup", "other"), "no whole backup 'other'"),
        (("--backup", backup.id), "confirmed by the service's name: treasure"),
        (("--backup", backup.id, "--confirm", "tresure"), "'tresure' was typed"),
    ):
        said = treasure.gp("restore", "--reason", "a drill", *arguments)
        assert said.code == 1, said.out
        assert message in said.object["error"], said.object
    assert treasure.shown["live"] == live
    assert data(treasure).value("SELECT current_database()") == database
    assert not is_read_only(treasure)
    listed = treasure.gp("backups")
    assert listed.code == 0, listed.err
    newest: dict[str, Any] = listed.object["backups"][0]
    assert (newest["id"], newest["verified"]) == (backup.id, True)
    assert newest["rows_written_since"] is not None


def test_a_restore_that_is_killed_is_undone(treasure: TestedService) -> None:
    dagster, backup = treasure.dagster, back_up(treasure)
    database = str(data(treasure).value("SELECT current_database()"))
    run_id = begun(treasure, backup, then=signal.SIGKILL)
    assert treasure.shown["state"] == "restoring"
    assert "ann is restoring backup" in treasure.shown["remarks"][0]
    wait_until(lambda: restrictions.restoring(treasure.platform.target.ledger) is None, seconds=90)
    treasure.settle()
    assert (treasure.live, treasure.slots) == ("v2", ["v1", "v2"])
    data(treasure).run("INSERT INTO missions (title) VALUES ('written')")
    left = data(treasure).value("SELECT array_agg(datname) FROM pg_database")
    assert isinstance(left, list)
    assert data(treasure).value("SELECT current_database()") == database
    assert not any(name.endswith(run_id[:8]) for name in left)
    assert dagster.end_of(run_id) == "FAILURE"


def test_a_person_rolls_back_in_the_middle_of_a_restore(treasure: TestedService) -> None:
    """Its run is stopped at that moment, and changes nothing when it goes on."""
    dagster, backup = treasure.dagster, back_up(treasure)
    run_id = begun(treasure, backup, then=signal.SIGSTOP)
    try:
        said = treasure.gp("rollback", "--now", "--reason", "v2 is bad, too")
        assert said.code == 0, said.err
        assert treasure.live == "v1"
        data(treasure).run("INSERT INTO missions (title) VALUES ('written')")
    finally:
        os.kill(dagster.process_of(run_id), signal.SIGCONT)
    assert dagster.end_of(run_id) == "FAILURE"
    treasure.settle()
    assert (treasure.live, treasure.shown["state"]) == ("v1", "live")
    assert not is_read_only(treasure)
    said = treasure.gp("quarantine", "v2", "--lift", "--reason", "it was not to blame")
    assert said.code == 0, said.err


def test_dropped_data_are_back_and_what_is_refused_meanwhile_are_writes(
    treasure: TestedService, tmp_path: Path
) -> None:
    backup = back_up(treasure, "dig 1", "dig 2")
    old = data(treasure)
    old.run("INSERT INTO missions (title) VALUES ('dig 3')", "DROP TABLE missions CASCADE")
    before = treasure.platform.target.traffic.read().record.live
    with Load(treasure.platform.target.entrance.url, tmp_path / "load", rate=40) as load:
        broken = load.mark("broken")
        wait_until(lambda: load.results().failed > 3)
        old.run("CREATE TABLE missions (id bigserial PRIMARY KEY, title text, crew text)")
        load.mark("half well")  # the schema is there again, and what was in it is not
        wait_until(lambda: load.complete().window("half well").requests > 20)
        load.mark("restoring")
        said = restore(treasure, backup.id)
        assert said.code == 0, said.err
        load.mark("restored")
        wait_until(lambda: load.complete().window("restored").requests > 100)
        results = load.stop()
    assert broken
    assert (said.object["outcome"], list(said.object["steps"])) == ("done", STEPS)
    live = treasure.platform.target.traffic.read().record.live
    assert before
    assert live
    assert (live.release_id, live.color) == (before.release_id, before.color.other)
    assert treasure.slots == ["v2"]
    assert data(treasure).value(TITLES) == ["dig 1", "dig 2"]

    # The old database is kept, and nobody can write to it.
    assert data(treasure).value("SELECT current_database()") != OWN
    assert old.value("SELECT count(*) FROM missions") is not None
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        old.run("INSERT INTO missions (title) VALUES ('lost')")

    meanwhile = results.window("restoring")
    refused = Counter(each.request for each in meanwhile.failures if "404" not in each.error)
    print(f"refused while it restored: {dict(refused)} of {meanwhile.requests} requests")
    ended = treasure.dagster.metadata(said.object["run_id"], "restore")["sessions ended"]
    assert refused["POST /api/missions"] > 0
    # A request may find that the session which it got from the pool was ended.
    assert refused.total() - refused["POST /api/missions"] <= ended
    # What was written since the backup is lost (its numbers are given again), and nothing else.
    after = results.window("restored")
    assert {each.request for each in after.failures} <= {"GET /api/missions/{id}"}
    with Load(treasure.platform.target.entrance.url, tmp_path / "again", rate=40) as load:
        wait_until(lambda: load.results().requests > 60)
        assert load.stop().failed == 0
    assert treasure.shown["state"] == "live"


def test_an_older_backup_gets_the_version_that_fits_it(treasure: TestedService) -> None:
    """The original's second scenario. The newest version is released again, and migrates."""
    current = data(treasure)
    current.run(
        "DROP TABLE missions CASCADE", "DELETE FROM _sqlx_migrations WHERE version > 1"
    )  # as if v2 had never migrated
    current.run(
        "CREATE TABLE missions (id bigserial PRIMARY KEY, title text NOT NULL, "
        "created_at timestamptz DEFAULT now())"
    )
    backup = back_up(treasure, "dig old")
    refused = restore(treasure, backup.id)
    assert refused.code == 1
    assert "v2 does not fit backup" in refused.object["error"]
    assert "0002_mission_crew" in refused.object["error"]
    assert not is_read_only(treasure)
    said = restore(treasure, backup.id, "--version", "v1")
    assert said.code == 0, said.err
    assert (treasure.live, treasure.slots) == ("v1", ["v1"])
    assert data(treasure).value(TITLES) == ["dig old"]
    run_id = treasure.release("v2")
    applied = treasure.dagster.metadata(run_id, "migrate")["applied"]
    assert applied == "0002_mission_crew, 0003_missions_by_crew"
    assert data(treasure).value(TITLES) == ["dig old"]
