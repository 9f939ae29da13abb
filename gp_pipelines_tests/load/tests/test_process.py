"""The load as a process: read while it runs, ended in every way, never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from gp_pipelines_tests.load import Connection, Failure, Load, LoadFailed, LogReader
from gp_pipelines_tests.load.tests.service import Fault, Service


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.02)


def generator_of(parent: int, log: Path) -> psutil.Process:
    children = psutil.Process(parent).children()
    (generator,) = [child for child in children if str(log) in child.cmdline()]
    return generator


def test_requests_belong_to_the_window_in_which_they_began(tmp_path: Path) -> None:
    service = Service(lambda _: Fault.ERROR if service.version == "v2" else None)
    with service, Load(service.url, tmp_path / "log") as load:
        load.mark("v1 is live")
        wait_for(lambda: load.complete().window("v1 is live").requests >= 20)
        moment = load.mark("v2 is released")
        service.become("v2")
        wait_for(lambda: load.complete().window("v2 is released").failed >= 20)
        results = load.stop()
    before, after = results.windows()
    assert (before.name, after.name) == ("v1 is live", "v2 is released")
    assert before.until == after.since == moment
    assert all(record.begun < moment for record in before.results.records)
    assert all(record.begun >= moment for record in after.results.records)
    assert before.results.requests >= 20
    assert after.results.failed >= 20
    assert results.failed_by_version == {"v2": results.answers(version="v2").requests}


def test_first_answers_of_a_release_after_a_switch(tmp_path: Path) -> None:
    with Service() as service, Load(service.url, tmp_path / "log") as load:
        wait_for(lambda: load.complete().requests >= 20)
        switched = time.time_ns()
        service.become("v2")
        new = "release-of-v2"
        wait_for(lambda: load.complete().answers(release=new).requests >= 40)
        results = load.stop()
    last_old = results.answers(release="release-of-v1").last_answer(after=0)
    assert last_old is not None
    for connection in (Connection.FRESH, Connection.KEPT):
        first = results.answers(release=new, connection=connection).first_answer(after=switched)
        assert first is not None
        assert first.connection is connection
        assert last_old.begun < first.ended  # the service changes at once: none began later
    assert results.first_answer(after=time.time_ns()) is None


def test_complete_waits_for_the_requests_under_way(tmp_path: Path) -> None:
    service = Service(lambda number: Fault.HANG if number == 30 else None)
    with service, Load(service.url, tmp_path / "log", timeout=1) as load:
        wait_for(lambda: 30 in service.seen)
        assert load.results().failed == 0
        assert load.complete().failed_by_kind == {Failure.TIMED_OUT: 1}


def test_stop_waits_for_the_requests_under_way(tmp_path: Path) -> None:
    service = Service(lambda number: Fault.HANG if number == 30 else None)
    with service, Load(service.url, tmp_path / "log", timeout=1) as load:
        wait_for(lambda: 30 in service.seen)
        results = load.stop()
    assert results.ended
    assert {record.number for record in results.records} == set(service.seen)
    assert results.failed == 1


def test_the_log_survives_a_kill(tmp_path: Path) -> None:
    with Service() as service, Load(service.url, tmp_path / "log") as load:
        wait_for(lambda: load.results().requests >= 20)
        generator_of(os.getpid(), load.out).kill()
        with pytest.raises(LoadFailed, match="exit code -9"):
            wait_for(lambda: load.results().requests < 0)
        with pytest.raises(LoadFailed, match="exit code -9"):
            load.stop()
    results = LogReader(load.out).read()
    assert results.requests >= 20
    assert not results.ended


def test_a_line_that_is_half_written_is_left_for_later(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b'["m",1,"a"]\n["m",2,"b')
    reader = LogReader(log)
    assert [mark.name for mark in reader.read().marks] == ["a"]
    with log.open("ab") as file:
        file.write(b'c"]\n')
    assert [mark.name for mark in reader.read().marks] == ["a", "bc"]


def test_a_load_whose_time_is_over_is_not_taken_for_one_that_watches(tmp_path: Path) -> None:
    with (
        Service() as service,
        Load(service.url, tmp_path / "log", rate=50, seconds=0.5) as load,
        pytest.raises(LoadFailed, match="has ended"),
    ):
        wait_for(lambda: load.results().requests < 0)
    assert LogReader(load.out).read().requests == 25


def test_it_ends_when_its_parent_dies(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from gp_pipelines_tests.load import Load\n"
        "Load(sys.argv[1], Path(sys.argv[2])).start()\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).parents[3]
    with Service() as service:
        command = [sys.executable, "-c", program, service.url, str(log)]
        parent = subprocess.Popen(command, cwd=root)
        try:
            wait_for(lambda: log.exists() and LogReader(log).read().requests > 0)
            generator = generator_of(parent.pid, log)
        finally:
            parent.kill()
            parent.wait()
        wait_for(lambda: LogReader(log).read().ended)
        wait_for(lambda: not generator.is_running() or generator.status() == psutil.STATUS_ZOMBIE)
        results = LogReader(log).read()
        assert sorted(record.number for record in results.records) == sorted(service.seen)


def test_no_load_is_left_behind_by_an_error(tmp_path: Path) -> None:
    class Mistake(Exception): ...

    found: list[psutil.Process] = []

    def mistaken(url: str) -> None:
        with Load(url, tmp_path / "log") as load:
            found.append(generator_of(os.getpid(), load.out))
            raise Mistake

    with Service() as service:
        with pytest.raises(Mistake):
            mistaken(service.url)
        assert not found[0].is_running()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_when_it_is_told_to(tmp_path: Path, signal_number: int) -> None:
    log = tmp_path / "log"
    with Service() as service:
        command = [sys.executable, "-m", "gp_pipelines_tests.load", "--url", service.url]
        process = subprocess.Popen([*command, "--out", str(log)], stdout=subprocess.PIPE)
        wait_for(lambda: log.exists() and LogReader(log).read().requests > 0)
        process.send_signal(signal_number)
        summary, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    results = LogReader(log).read()
    assert results.ended
    assert f"{results.requests} requests" in summary.decode()
    assert " 0 failed" in summary.decode()


def test_it_says_why_it_did_not_start(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with pytest.raises(LoadFailed, match="exists already"):
        Load("http://127.0.0.1:1", tmp_path / "log").start()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "http://192.0.2.1:80"],
        ["--url", "http://127.0.0.1:80", "--rate", "100000"],
        ["--url", "http://127.0.0.1:80", "--seconds", "1e9"],
        ["--url", "http://127.0.0.1:80", "--rate", "nan"],
    ],
)
def test_an_unbounded_or_stray_load_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "gp_pipelines_tests.load", "--out", str(tmp_path / "log")]
    refused = subprocess.run([*command, *arguments], capture_output=True, timeout=30)
    assert refused.returncode == 2
    assert not (tmp_path / "log").exists()
