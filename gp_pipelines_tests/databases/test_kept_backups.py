"""Backups that are there: which go and which stay, what has been written since, what is whole."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from gp_pipelines.databases.postgres import PostgresDatabase
from gp_pipelines.databases.store import BackupStore
from gp_pipelines.errors import StepFailed
from gp_pipelines.services import BackupRetention
from gp_pipelines_tests.databases.conftest import Live
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.databases.wrapped_tools import files

MakeDatabase = Callable[..., PostgresDatabase]
RELEASE = "0f3c8a1e-1111-2222-3333-444455556666"


def ignore(_: str) -> None:
    pass


def copy_backup(source: Path, to: Path) -> None:
    """A backup like `source`, made when its id says."""
    at = datetime.strptime(to.name[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    manifest = json.loads((source / "manifest.json").read_text())
    del manifest["checksum"], manifest["files"], manifest["size"]
    shutil.copytree(source, to)
    changed = {**manifest, "id": to.name, "at": at.isoformat()}
    BackupStore(to.parent, BackupRetention()).write_manifest(to, changed, ignore)


def earlier(days: float) -> str:
    """The id of a backup that was made so many days ago."""
    at = datetime.now(UTC) - timedelta(days=days)
    return f"{at:%Y%m%dT%H%M%S}.000Z-0f3c8a1e"


def test_backups_go_that_are_too_many_or_too_old_but_for_the_newest_one(
    database: MakeDatabase, crew: Live, home: Path
) -> None:
    first = database().backup(RELEASE, ignore, 120)
    for days in (5, 4, 3, 2, 1):
        copy_backup(home / first.id, home / earlier(days))
    days_old = sorted(name for name in files(home) if name != first.id)
    (home / "notes").mkdir()
    three = BackupStore(home, BackupRetention(keep=3))
    assert three.retire(keep=first.id) == tuple(days_old[:3])
    two_days = BackupStore(home, BackupRetention(keep_days=1.5))
    assert two_days.retire(keep=first.id) == (days_old[3],)
    assert files(home) == [days_old[4], first.id, "notes"]
    only_one = BackupStore(home, BackupRetention(keep=1, keep_days=0.0001))
    assert only_one.retire(keep=first.id) == (days_old[4],)
    assert only_one.list() == (first,)


def test_a_backup_that_is_used_stays(database: MakeDatabase, crew: Live, home: Path) -> None:
    first, second = (database().backup(RELEASE, ignore, 120) for _ in range(2))
    store = BackupStore(home, BackupRetention(keep=1))
    with store.using(first) as dump:
        assert store.retire(keep=second.id) == ()
        assert (dump / "toc.dat").exists()
    assert store.retire(keep=second.id) == (first.id,)
    with pytest.raises(StepFailed, match="is not whole any more"), store.using(first):
        pass


def test_the_new_backup_stays_also_when_the_clock_was_set_back(
    database: MakeDatabase, crew: Live, home: Path
) -> None:
    first = database().backup(RELEASE, ignore, 120).id
    for day in range(BackupRetention().keep):
        copy_backup(home / first, home / f"299901{day + 10}T000000.000Z-0f3c8a1e")
    newest = database().backup(RELEASE, ignore, 120).id
    assert newest in files(home)
    assert first not in files(home)


def test_what_was_written_since_a_backup_is_known(database: MakeDatabase, crew: Live) -> None:
    live = database()
    backup = live.backup(RELEASE, ignore, 120)
    assert live.backups() == (backup,)
    wait_until(lambda: live.written_since(backup) == 0)
    crew.run(
        "INSERT INTO crew (name) SELECT 'late' FROM generate_series(1, 5)",
        "UPDATE crew SET name = 'later' WHERE name = 'late'",
        "DELETE FROM crew WHERE name = 'later'",
        "CREATE TABLE new AS SELECT 1 AS a",
    )
    wait_until(lambda: live.written_since(backup) == 16)


def test_a_loss_is_unknown_where_the_server_has_begun_to_count_anew(
    database: MakeDatabase, crew: Live, production: str
) -> None:
    live = database()
    wait_until(lambda: crew.value("SELECT n_tup_ins FROM pg_stat_user_tables") == 42)
    backup = live.backup(RELEASE, ignore, 120)
    assert live.written_since(replace(backup, written=None)) is None
    assert live.written_since(replace(backup, database="another:5432/one")) is None
    crew.run("CREATE TABLE gone AS SELECT 1 AS a")
    wait_until(lambda: live.written_since(backup) == 1)
    another = live.backup(RELEASE, ignore, 120)
    crew.run("DROP TABLE gone")
    assert live.written_since(another) is None
    assert live.written_since(backup) == 0
    name = crew.value("SELECT current_database()")
    with psycopg.connect(production, dbname=str(name), autocommit=True) as superuser:
        superuser.execute("SELECT pg_stat_reset()")
    assert live.written_since(backup) is None


def test_a_backup_whose_files_were_changed_is_not_whole_any_more(
    database: MakeDatabase, crew: Live, home: Path
) -> None:
    backup = database().backup(RELEASE, ignore, 120)
    store = BackupStore(home, BackupRetention())
    store.require_whole(backup, ignore)
    (data,) = (home / backup.id / "dump").glob("*.dat.gz")
    content = data.read_bytes()
    data.write_bytes(content[:-1] + b"x")
    with pytest.raises(StepFailed, match="is not what was written"):
        store.require_whole(backup, ignore)
    data.unlink()
    with pytest.raises(StepFailed, match="is missing"):
        store.require_whole(backup, ignore)
