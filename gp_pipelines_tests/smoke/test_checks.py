"""Smoke checks against a real server: each kind of wrong answer fails, and says what was wrong."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gp_pipelines.errors import LONGEST_QUOTE
from gp_pipelines.services import Smoke
from gp_pipelines.smoke.checks import SmokeFailed, run_checks


class Server(ThreadingHTTPServer):
    """Answers every request with what `answer` gives: a status and a body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Callable[[], tuple[int, bytes]] = lambda: (200, b"{}")
        self.asked: list[tuple[str, str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, self.path, body))
        status, content = self.server.answer()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def smoke(repeat: int = 1, **check: Any) -> Smoke:
    return Smoke.model_validate({"checks": [{"path": "/health", **check}], "repeat": repeat})


def problem(url: str, wanted: Smoke, version: str = "v2", timeout: float = 5) -> str:
    with pytest.raises(SmokeFailed) as failed:
        run_checks(url, wanted, version, timeout, print)
    (result,) = failed.value.results
    assert not result.passed
    assert result.detail in str(failed.value)
    assert version in str(failed.value)
    return result.detail


def test_a_right_answer_passes_with_its_timing(server: Server) -> None:
    server.answer = lambda: (200, b'{"version": "v2", "more": 1}')
    (result,) = run_checks(server.url, smoke(json={"version": "{version}"}), "v2", 5, print)
    assert (result.check, result.passed, result.detail) == ("GET /health", True, "")
    assert 0 < result.median_ms <= result.slowest_ms


def test_every_check_runs_in_every_round(server: Server) -> None:
    run_checks(server.url, smoke(repeat=4), "v2", 5, print)
    assert len(server.asked) == 4


def test_a_body_is_sent_as_json(server: Server) -> None:
    run_checks(server.url, smoke(method="POST", body={"title": "x"}), "v2", 5, print)
    assert server.asked == [("POST", "/health", {"title": "x"})]


def test_a_wrong_status_fails_and_is_quoted(server: Server) -> None:
    server.answer = lambda: (500, b"no database")
    assert problem(server.url, smoke()) == "status 500, expected 200: no database"


def test_a_wrong_version_fails(server: Server) -> None:
    server.answer = lambda: (200, b'{"version": "v1"}')
    assert problem(server.url, smoke(json={"version": "{version}"})) == (
        "version is v1, expected 'v2'"
    )


@pytest.mark.parametrize("body", [b"{}", b"[]", b'"v2"', b"null"])
def test_a_missing_field_fails(server: Server, body: bytes) -> None:
    server.answer = lambda: (200, body)
    assert "version is None" in problem(server.url, smoke(json={"version": "{version}"}))


def test_what_is_no_json_fails(server: Server) -> None:
    server.answer = lambda: (200, b"<html>")
    assert "not JSON" in problem(server.url, smoke(json={"version": "v2"}))


def test_a_slow_answer_fails(server: Server) -> None:
    def slow() -> tuple[int, bytes]:
        time.sleep(0.05)
        return 200, b"{}"

    server.answer = slow
    assert "at most 10 ms are allowed" in problem(server.url, smoke(max_ms=10))


def test_no_answer_fails() -> None:
    with Server() as closed:
        url = closed.url
    assert "no answer" in problem(url, smoke())


def test_no_answer_in_time_fails(server: Server) -> None:
    ended = threading.Event()

    def hang() -> tuple[int, bytes]:
        ended.wait(10)
        return 200, b"{}"

    server.answer = hang
    try:
        assert "no answer" in problem(server.url, smoke(), timeout=0.2)
    finally:
        ended.set()


def test_rounds_that_do_not_fit_into_the_time_fail(server: Server) -> None:
    def slow() -> tuple[int, bytes]:
        time.sleep(0.05)
        return 200, b"{}"

    server.answer = slow
    assert "not done within 0.2 s" in problem(server.url, smoke(repeat=1000), timeout=0.2)


def test_a_check_that_failed_once_has_failed(server: Server) -> None:
    answers = iter([(200, b"{}"), (503, b"")])
    server.answer = lambda: next(answers, (200, b"{}"))
    assert "status 503" in problem(server.url, smoke(repeat=5))


def test_no_secret_and_no_novel_is_quoted(server: Server) -> None:
    server.answer = lambda: (500, b"postgresql://api:hunter2@db " + b"x" * 5000)
    quoted = problem(server.url, smoke())
    assert "hunter2" not in quoted
    assert len(quoted) < LONGEST_QUOTE + 100


def test_all_failed_checks_are_named(server: Server) -> None:
    both = Smoke.model_validate({"checks": [{"path": "/a", "status": 201}, {"path": "/b"}]})
    with pytest.raises(SmokeFailed) as failed:
        run_checks(server.url, both, "v2", 5, print)
    assert "1 of 2" in str(failed.value)
    assert "GET /a" in str(failed.value)
    assert [result.passed for result in failed.value.results] == [False, True]
