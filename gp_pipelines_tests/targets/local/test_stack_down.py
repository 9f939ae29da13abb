"""`gp down`: everything ends, the data stay, and a purge takes what is ours."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from gp_pipelines.errors import Refused
from gp_pipelines.model import Color
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines.targets.local.unix_sockets import short_directory
from gp_pipelines_tests.contract.examples import a_slot, bring_up, switch_to
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.targets.local.project import Project, database


def test_what_was_live_is_live_again_after_down_and_up(project: Project) -> None:
    address = project.up().entrances["api"]
    subject = project.subject()
    slot = a_slot(subject, Color.BLUE, replicas=2)
    bring_up(subject, slot)
    switch_to(subject.target, slot)
    project.down()
    assert project.pids() == {}
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    project.up()
    wait_until(lambda: httpx.get(f"{address}/health").status_code == 200)
    status = subject.target.slots.get(slot.name)
    assert status is not None
    wait_until(lambda: (now := subject.target.slots.get(slot.name)) and now.ready == 2)


def test_purge_leaves_nothing_of_ours_and_everything_else(project: Project) -> None:
    project.have("api", database=database())
    project.up()
    postgres = project.home.postgres.resolve()
    (project.home.root / "demo").mkdir()
    project.down(purge=True)
    assert [path.name for path in project.home.root.iterdir()] == ["demo"]
    assert "demo" in project.said[-1]
    assert not postgres.exists()
    (project.home.root / "demo").rmdir()
    project.home.root.rmdir()


def test_purge_removes_the_stand_ins_of_long_paths(tmp_path: Path) -> None:
    project = Project(tmp_path / ("long" * 20))
    project.up()
    stand_ins = [short_directory(each) for each in (project.home.supervisor, project.home.envoy)]
    assert all(each.is_dir() for each in stand_ins)
    project.down(purge=True)
    assert not any(each.exists() for each in stand_ins)
    assert not project.home.root.exists()


def test_purge_refuses_a_directory_that_is_no_home(project: Project) -> None:
    mine = project.home.root / "services" / "important"
    mine.mkdir(parents=True)
    with pytest.raises(Refused, match="is not a home"):
        project.down(purge=True)
    assert mine.is_dir()
    mine.rmdir()
    mine.parent.rmdir()
    project.home.root.rmdir()


def test_down_of_what_was_never_up_makes_nothing(project: Project) -> None:
    project.down()
    project.down(purge=True)
    assert not project.home.root.exists()


def test_down_ends_programs_whose_supervisor_was_killed(project: Project) -> None:
    project.up()
    project.kill_supervisord()
    assert project.pids()
    project.down()
    assert project.pids() == {}


def test_down_waits_for_an_up_that_is_at_work(project: Project) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def slowly(line: str) -> None:
        at_work.set()
        assert go_on.wait(30)

    with ThreadPoolExecutor(2) as pool:
        up = pool.submit(project.stack.up, False, slowly)
        assert at_work.wait(30)
        down = pool.submit(project.stack.down, False, project.say)
        wait_until(lambda: any("another `gp up`" in line for line in project.said))
        go_on.set()
        up.result()
        down.result()
    assert not Supervisor(project.home).is_up()
