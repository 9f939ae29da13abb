"""The server for one check: it is there, and then nothing of it is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.postgres_cluster import postmaster
from gp_pipelines.targets.local.postgres_scratch import remove_abandoned, scratch
from gp_pipelines_tests.targets.local.running_postgres import removed_at_the_end

HOLD_ONE = """
import pathlib, sys, time
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.postgres_scratch import scratch
with scratch(Home(pathlib.Path(sys.argv[1]))):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with removed_at_the_end(tmp_path / "var") as home:
        yield home


def test_it_is_a_superusers_and_needs_no_other_server(home: Home) -> None:
    with scratch(home) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
        connection.execute("CREATE ROLE owner SUPERUSER")


def test_programs_reach_it_on_a_port_of_this_machine_with_its_password_only(home: Home) -> None:
    with scratch(home, for_programs=True) as url:
        port = psycopg.conninfo.conninfo_to_dict(url)["port"]
        by_tcp = psycopg.conninfo.make_conninfo(url, host="127.0.0.1", port=port)
        psycopg.connect(by_tcp).close()
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(psycopg.conninfo.make_conninfo(by_tcp, password="guessed"))
    with scratch(home) as url, pytest.raises(psycopg.OperationalError):
        psycopg.connect(psycopg.conninfo.make_conninfo(url, host="127.0.0.1"))


def test_nothing_is_left_of_it(home: Home) -> None:
    with scratch(home):
        (directory,) = _directories(home)
        server = postmaster(directory / "data")
        assert server is not None
    assert not server.is_alive()
    assert _directories(home) == []


def test_nothing_is_left_of_it_after_an_error_either(home: Home) -> None:
    with pytest.raises(ZeroDivisionError), scratch(home):
        raise ZeroDivisionError
    assert _directories(home) == []


def test_two_at_once_do_not_meet(home: Home) -> None:
    with scratch(home) as first, scratch(home) as second:
        psycopg.connect(first, autocommit=True).execute("CREATE ROLE somebody").connection.close()
        with psycopg.connect(second) as connection:
            found = connection.execute("SELECT FROM pg_roles WHERE rolname = 'somebody'")
            assert found.fetchone() is None


def test_what_a_killed_run_left_is_removed_by_the_next(home: Home) -> None:
    killed = subprocess.Popen([sys.executable, "-c", HOLD_ONE, home.root], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"up\n"
    (left,) = _directories(home)
    with scratch(home):
        assert left.exists()  # it has an owner yet
    killed.kill()
    killed.wait()
    server = postmaster(left / "data")
    assert server is not None
    with scratch(home):
        assert left not in _directories(home)
        assert not server.is_alive()


def test_a_number_that_another_process_has_by_now_is_no_owner(home: Home) -> None:
    left = home.postgres / "scratch" / f"{os.getppid()}-000000-abcdef"
    left.mkdir(parents=True)
    remove_abandoned(home)
    assert not left.exists()


def _directories(home: Home) -> list[Path]:
    return list((home.postgres / "scratch").glob("*"))
