"""The embedded server: whose it is, who gets in, and that it comes back after anything."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from gp_pipelines.errors import ConfigInvalid, TargetUnavailable
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.home_removal import remove_home
from gp_pipelines.targets.local.postgres import PROGRAM, EmbeddedPostgres
from gp_pipelines.targets.local.postgres_account import Account
from gp_pipelines.targets.local.postgres_cluster import postmaster
from gp_pipelines.targets.local.postgres_programs import copy_programs
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.targets.local.running_postgres import removed_at_the_end, start

SET_UP = """
import pathlib, sys
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.postgres import EmbeddedPostgres
EmbeddedPostgres(Home(pathlib.Path(sys.argv[1]))).program()
"""

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="is about what root starts")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    # What shells, URLs and configuration files take for something else.
    with removed_at_the_end(tmp_path_factory.mktemp("with blanks [x] 100%(n)s") / "var") as home:
        yield home


@pytest.fixture(scope="module")
def server(home: Home) -> EmbeddedPostgres:
    return start(home)


@pytest.fixture
def another_home(tmp_path: Path) -> Iterator[Home]:
    with removed_at_the_end(tmp_path / "var") as home:
        yield home


def test_a_service_owns_a_database_and_is_no_superuser(server: EmbeddedPostgres) -> None:
    server.ensure_database("ghost-pirates")
    with psycopg.connect(server.url("ghost-pirates"), autocommit=True) as connection:
        connection.execute("CREATE TABLE missions (id int)")
        found = connection.execute(
            "SELECT current_database(), rolname, rolsuper OR rolcreatedb OR rolcreaterole "
            "FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert found == ("ghost-pirates", "ghost-pirates", False)


def test_a_service_does_not_get_into_anothers_database(server: EmbeddedPostgres) -> None:
    server.ensure_database("mine")
    server.ensure_database("yours")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(server.url("mine"), dbname="yours")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url("mine"), user="yours")


def test_a_database_that_is_there_stays_as_it_is(server: EmbeddedPostgres) -> None:
    server.ensure_database("kept")
    url = server.url("kept")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE rows AS SELECT 7 AS n")
    server.ensure_database("kept")
    assert server.url("kept") == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT n FROM rows").fetchone() == (7,)


def test_a_role_whose_password_file_is_gone_gets_a_new_one(
    home: Home, server: EmbeddedPostgres
) -> None:
    server.ensure_database("forgetful")
    (home.postgres / "databases" / "forgetful").unlink()
    server.ensure_database("forgetful")
    psycopg.connect(server.url("forgetful")).close()


def test_a_service_without_a_database_is_told_what_makes_one(server: EmbeddedPostgres) -> None:
    with pytest.raises(TargetUnavailable, match="gp up"):
        server.url("nobody-made-it")


def test_passwords_are_in_files_that_only_their_owner_reads(
    home: Home, server: EmbeddedPostgres
) -> None:
    server.ensure_database("secretive")
    files = [home.postgres / "superuser", home.postgres / "databases" / "secretive"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    said = (home.postgres / "logs" / "postgres.log").read_text()
    for process in _processes(home):
        with suppress(psutil.NoSuchProcess):  # its workers come and go
            said += " ".join(process.cmdline()) + str(process.environ())
    for file in files:
        assert len(file.read_text()) >= 32
        assert file.read_text() not in said


def test_it_is_reached_by_its_socket_only(home: Home, server: EmbeddedPostgres) -> None:
    server.ensure_database("local")
    with psycopg.connect(server.url("local")) as connection:
        socket = Path(connection.info.host) / ".s.PGSQL.5432"
    mode = socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o700
    server_process = _processes(home)[0]
    assert server_process.net_connections("tcp") == []


def test_after_a_kill_it_is_back_with_what_was_committed(
    home: Home, server: EmbeddedPostgres
) -> None:
    server.ensure_database("durable")
    with psycopg.connect(server.url("durable"), autocommit=True) as connection:
        connection.execute("CREATE TABLE rows AS SELECT generate_series(1, 1000) AS n")
        # Its session dies with it, and must not keep the next one from starting.
        killed = postmaster(home.postgres / "data")
        assert killed is not None
        killed.send(signal.SIGKILL)
        wait_until(lambda: not killed.is_alive())
    wait_until(server.ready)
    with psycopg.connect(server.url("durable")) as connection:
        assert connection.execute("SELECT count(*) FROM rows").fetchone() == (1000,)


def test_a_lock_left_by_a_killed_server_does_not_keep_the_next_from_starting(
    home: Home, server: EmbeddedPostgres
) -> None:
    """After a restart of the machine its number may be that of another process of that user."""
    supervisor = Supervisor(home)
    supervisor.stop(PROGRAM)
    data = home.postgres / "data"
    account = Account.of(data.stat().st_uid)
    somebody = subprocess.Popen(["sleep", "60"], **account.as_user())
    try:
        lock = data / "postmaster.pid"
        lock.write_text(f"{somebody.pid}\n{data.resolve()}\n1\n5432\n\n\n\n\n")
        os.chown(lock, account.uid, account.gid)
        supervisor.put(server.program())
        log = home.postgres / "logs" / "postgres.log"
        wait_until(lambda: f"Is another postmaster (PID {somebody.pid})" in log.read_text())
        server.repair()
        wait_until(server.ready)
        assert somebody.poll() is None
    finally:
        somebody.kill()
        somebody.wait()


def test_the_lock_of_a_living_server_stays(home: Home, server: EmbeddedPostgres) -> None:
    server.repair()
    assert postmaster(home.postgres / "data") is not None


def test_a_killed_set_up_is_begun_again(another_home: Home) -> None:
    killed = subprocess.Popen([sys.executable, "-c", SET_UP, another_home.root])
    wait_until(lambda: list(another_home.postgres.glob("data.*.new/base")))
    killed.kill()  # not initdb, which goes on beside the next one
    killed.wait()
    assert not (another_home.postgres / "data").exists()
    start(another_home).ensure_database("service")


def test_a_lost_password_of_the_superuser_is_named(another_home: Home) -> None:
    server = EmbeddedPostgres(another_home)
    server.program()
    (another_home.postgres / "superuser").unlink()
    with pytest.raises(TargetUnavailable, match="superuser, which held the superuser's password"):
        server.ensure_database("service")


def test_data_of_another_version_are_refused(another_home: Home) -> None:
    server = EmbeddedPostgres(another_home)
    server.program()
    (another_home.postgres / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(TargetUnavailable, match="are of PostgreSQL 12, and installed is"):
        server.program()


def test_a_home_that_clients_would_take_for_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="comma"):
        EmbeddedPostgres(Home(tmp_path / "one,two")).program()


def test_the_name_of_a_service_leads_nowhere_else(server: EmbeddedPostgres) -> None:
    with pytest.raises(ConfigInvalid):
        server.url("../superuser")


@AS_ROOT
def test_root_starts_it_as_somebody_else(home: Home, server: EmbeddedPostgres) -> None:
    owner = (home.postgres / "data").stat().st_uid
    assert _processes(home)[0].uids().effective == owner
    assert owner != 0


@AS_ROOT
def test_for_a_home_that_others_cannot_enter_the_data_lie_elsewhere(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    home = Home(tmp_path / "var")
    with removed_at_the_end(home.root):
        start(home).ensure_database("service")
        elsewhere = home.postgres.readlink()
        assert not elsewhere.is_relative_to(tmp_path)
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert not elsewhere.parent.exists()
    assert not home.root.exists()


@AS_ROOT
def test_a_home_that_others_can_enter_holds_the_data_itself() -> None:
    with tempfile.TemporaryDirectory(prefix="gp-") as name:
        Path(name).chmod(0o755)
        home = Home(Path(name) / "var")
        with removed_at_the_end(home.root):
            start(home).ensure_database("service")
            assert not home.postgres.is_symlink()
            assert (home.postgres / "data" / "base").is_dir()


@AS_ROOT
def test_a_copied_home_does_not_remove_the_data_of_its_original(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with removed_at_the_end(tmp_path / "var") as home:
        EmbeddedPostgres(home).program()
        copied = Home(tmp_path / "copy")
        copied.root.mkdir()
        copied.postgres.symlink_to(home.postgres.readlink())
        remove_home(copied)
        assert (home.postgres / "data").exists()


@AS_ROOT
def test_programs_are_copied_to_where_their_account_can_run_them() -> None:
    account = Account.for_a_server()
    with tempfile.TemporaryDirectory(prefix="gp-") as name:
        Path(name).chmod(0o755)
        copied = copy_programs(Path(name))
        assert copy_programs(Path(name)) == copied
        Path(name, "data").mkdir()
        account.own(Path(name, "data"), 0o700)
        assert account.can(copied / "postgres", "-V")
        assert account.can(copied / "initdb", "-D", Path(name, "data"), "--no-sync")


def _processes(home: Home) -> list[psutil.Process]:
    server = postmaster(home.postgres / "data")
    assert server is not None
    process = psutil.Process(server.pid)
    return [process, *process.children(recursive=True)]
