"""The lock of one service's files: one at a time, and whoever holds it is known."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.lock import end_stuck_holder, holder, locked
from gp_pipelines_tests.databases.waiting import wait_until

HOLD = """
import pathlib, sys, time
from gp_pipelines.targets.local.lock import locked
with locked(pathlib.Path(sys.argv[1]), 10):
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "service" / "lock"


def test_who_holds_it_is_named_to_who_waits_in_vain(path: Path) -> None:
    with (
        _held_by_another_process(path) as other,
        pytest.raises(TargetUnavailable, match=f"has been held by process {other.pid} for 0.05 s"),
        locked(path, 0.05),
    ):
        pytest.fail("two had it")


def test_the_holder_is_known_while_others_wait_and_afterwards_as_long_as_it_lives(
    path: Path,
) -> None:
    assert holder(path) is None
    with locked(path, 1):
        pass
    found = holder(path)
    assert found is not None
    assert found.pid == os.getpid()
    with _held_by_another_process(path) as other:
        found = holder(path)
        assert found is not None
        assert found.pid == other.pid
    assert holder(path) is None


def test_a_holder_that_is_stopped_in_the_middle_is_ended_for_a_rollback(path: Path) -> None:
    with _held_by_another_process(path) as other:
        other.send_signal(signal.SIGSTOP)
        assert end_stuck_holder(path, 0.1) == f"process {other.pid}, which held {path}"
        with locked(path, 0.1):
            pass


def test_nobody_is_ended_where_it_is_free(path: Path) -> None:
    with _held_by_another_process(path) as other:
        other.kill()
        assert end_stuck_holder(path, 60) is None


def test_a_killed_holder_holds_it_no_longer(path: Path) -> None:
    with _held_by_another_process(path) as other:
        other.kill()
        with locked(path, 10):
            found = holder(path)
            assert found is not None
            assert found.pid == os.getpid()


def test_threads_of_one_process_exclude_each_other_too(path: Path) -> None:
    inside, most = [0], [0]
    seen = threading.Lock()

    def enter() -> None:
        for _ in range(20):
            with locked(path, 30):
                with seen:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with seen:
                    inside[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_an_error_inside_lets_go_of_it(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(path, 1):
        raise ZeroDivisionError
    with locked(path, 0):
        pass


@contextmanager
def _held_by_another_process(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        wait_until(lambda: process.poll() is not None)
