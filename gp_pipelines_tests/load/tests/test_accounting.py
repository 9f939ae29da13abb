"""That exactly those requests count as failed that really were lost, each once, none hidden."""

import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gp_pipelines_tests.load import Connection, Failure, LogReader, Results
from gp_pipelines_tests.load.tests.service import Fault, Service


def run(url: str, out: Path, *, rate: int = 200, seconds: float = 1, timeout: float = 5) -> Results:
    """A whole load from the command line; returns when it has ended by itself."""
    command = [sys.executable, "-m", "gp_pipelines_tests.load", "--url", url, "--out", str(out)]
    command += ["--rate", str(rate), "--seconds", str(seconds), "--timeout", str(timeout)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    results = LogReader(out).read()
    assert results.ended
    assert sorted(record.number for record in results.records) == list(range(int(rate * seconds)))
    return results


def test_nothing_is_wrong(tmp_path: Path) -> None:
    with Service() as service:
        results = run(service.url, tmp_path / "log")
    assert results.failed == 0
    assert sorted(service.seen) == list(range(200))
    connections = Counter(record.connection for record in results.records)
    assert connections[Connection.FRESH] == 100
    assert connections[Connection.OPENED] >= 10
    assert connections[Connection.KEPT] + connections[Connection.OPENED] == 100
    assert {record.version for record in results.records} == {"v1"}
    assert {record.release for record in results.records} == {"release-of-v1"}
    for kind in (Connection.FRESH, Connection.KEPT):
        asked = {record.request for record in results.answers(connection=kind).records}
        assert asked >= {"GET /health", "GET /api/missions", "POST /api/missions"}
        assert "GET /api/missions/{id}" in asked


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (Fault.RESET, Failure.RESET),
        (Fault.CLOSE, Failure.RESET),
        (Fault.CUT, Failure.RESET),
        (Fault.HANG, Failure.TIMED_OUT),
        (Fault.STALL, Failure.TIMED_OUT),
        (Fault.ERROR, Failure.SERVER_ERROR),
        (Fault.UNAVAILABLE, Failure.SERVER_ERROR),
        (Fault.MISSING, Failure.WRONG_ANSWER),
        (Fault.WRONG_BODY, Failure.WRONG_ANSWER),
        (Fault.NOT_JSON, Failure.WRONG_ANSWER),
        (Fault.NOT_HTTP, Failure.WRONG_ANSWER),
    ],
)
def test_each_lost_request_counts_once(tmp_path: Path, fault: Fault, failure: Failure) -> None:
    with Service(lambda number: fault if number % 5 == 3 else None) as service:
        results = run(service.url, tmp_path / "log", timeout=1.5)
    assert {record.number for record in results.failures} == set(range(3, 200, 5))
    assert results.failed_by_kind == {failure: 40}
    assert all(record.error for record in results.failures)
    assert sorted(service.seen) == list(range(200)), "a request was sent twice"


def test_a_broken_answer_still_tells_who_gave_it(tmp_path: Path) -> None:
    with Service(lambda number: Fault.CUT if number == 7 else None) as service:
        results = run(service.url, tmp_path / "log")
    assert results.failed_by_version == {"v1": 1}


@pytest.mark.parametrize("fault", [Fault.CLOSE_IDLE, Fault.RESET_IDLE, Fault.TOO_MUCH])
def test_a_connection_closed_while_idle_loses_nothing_and_is_seen(
    tmp_path: Path, fault: Fault
) -> None:
    # Faults in the first half only: by the end each client has come back to its connection.
    with Service(lambda number: fault if number % 5 == 3 and number < 100 else None) as service:
        results = run(service.url, tmp_path / "log", rate=100, seconds=2)
    assert results.failed == 0
    kept = [number for number in range(3, 100, 5) if number % 2]
    if fault is not Fault.TOO_MUCH:  # bytes too many that came along with the answer are seen there
        assert results.closed_idle == len(kept)
    assert sorted(service.seen) == list(range(200))


def test_an_announced_close_is_not_one_while_idle(tmp_path: Path) -> None:
    with Service(lambda _: Fault.ANNOUNCED) as service:
        results = run(service.url, tmp_path / "log")
    assert results.failed == results.closed_idle == 0
    assert len(results.answers(connection=Connection.OPENED).records) == 100


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as bound:  # bound and not listening: the port is nobody else's
        bound.bind(("127.0.0.1", 0))
        results = run(f"http://127.0.0.1:{bound.getsockname()[1]}", tmp_path / "log")
    assert results.failed_by_kind == {Failure.REFUSED: 200}
    assert results.answered_by_version == {None: 200}


def test_a_service_that_hangs_does_not_hold_the_schedule_up(tmp_path: Path) -> None:
    with Service(lambda _: Fault.HANG) as service:
        results = run(service.url, tmp_path / "log", rate=100, seconds=1, timeout=2)
        assert service.most_under_way == 100
    assert results.failed_by_kind == {Failure.TIMED_OUT: 100}
    assert sorted(service.seen) == list(range(100))


def test_several_faults_at_once(tmp_path: Path) -> None:
    faults = {1: Fault.RESET, 4: Fault.ERROR, 6: Fault.WRONG_BODY, 9: Fault.CLOSE_IDLE}
    with Service(lambda number: faults.get(number % 11)) as service:
        results = run(service.url, tmp_path / "log", rate=100, seconds=2)
    assert results.failed_by_kind == {
        Failure.RESET: len(range(1, 200, 11)),
        Failure.SERVER_ERROR: len(range(4, 200, 11)),
        Failure.WRONG_ANSWER: len(range(6, 200, 11)),
    }
    assert sorted(service.seen) == list(range(200))
