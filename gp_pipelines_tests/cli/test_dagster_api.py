"""Answers of a webserver that reality does not give on demand: each ends in one clear error."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from gp_pipelines.cli.dagster_api import DagsterApi
from gp_pipelines.errors import ConfigInvalid, StepFailed, TargetUnavailable

REPOSITORIES = {
    "repositoriesOrError": {
        "__typename": "RepositoryConnection",
        "nodes": [{"name": "__repository__", "location": {"name": "gp_pipelines"}}],
    }
}


class Webserver:
    """Gives the bodies in `answers`, one for each request, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.asked: list[Any] = []
        webserver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                webserver.asked.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(webserver.answers.pop(0))

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def api(self) -> DagsterApi:
        return DagsterApi(f"http://127.0.0.1:{self.server.server_port}/")

    def will_answer(self, *data: Any) -> None:
        self.answers = [json.dumps({"data": each}).encode() for each in data]


@pytest.fixture
def webserver() -> Iterator[Webserver]:
    running = Webserver()
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_a_launch_names_the_job_its_form_and_its_tags(webserver: Webserver) -> None:
    launched = {"__typename": "LaunchRunSuccess", "run": {"runId": "run-1"}}
    webserver.will_answer(REPOSITORIES, {"launchRun": launched})
    assert webserver.api.launch("release", {"version": "v1"}, {"gp/actor": "ann"}) == "run-1"
    params = webserver.asked[1]["variables"]["params"]
    assert params["selector"]["jobName"] == "release"
    assert params["runConfigData"] == {"version": "v1"}
    assert params["executionMetadata"]["tags"] == [{"key": "gp/actor", "value": "ann"}]


def test_a_configuration_that_the_job_refuses_is_wrong_usage(webserver: Webserver) -> None:
    wrong = {"__typename": "RunConfigValidationInvalid", "errors": [{"message": "no such field"}]}
    webserver.will_answer(REPOSITORIES, {"launchRun": wrong})
    with pytest.raises(ConfigInvalid, match="no such field"):
        webserver.api.launch("release", {}, {})


def test_a_launch_that_fails_says_why(webserver: Webserver) -> None:
    webserver.will_answer(
        REPOSITORIES, {"launchRun": {"__typename": "PythonError", "message": "no memory"}}
    )
    with pytest.raises(StepFailed, match="no memory"):
        webserver.api.launch("release", {}, {})


def test_a_project_that_is_not_loaded(webserver: Webserver) -> None:
    webserver.will_answer({"repositoriesOrError": {"__typename": "X", "nodes": []}})
    with pytest.raises(TargetUnavailable, match="has not loaded the project"):
        webserver.api.launch("release", {}, {})


def test_an_answer_that_is_not_json(webserver: Webserver) -> None:
    webserver.answers = [b"<html>a proxy's page</html>"]
    with pytest.raises(TargetUnavailable, match="does not answer"):
        webserver.api.events("run-1", None)


def test_a_query_that_is_refused(webserver: Webserver) -> None:
    webserver.answers = [json.dumps({"errors": [{"message": "read only"}]}).encode()]
    with pytest.raises(StepFailed, match="read only"):
        webserver.api.events("run-1", None)


def test_a_run_that_is_not_known(webserver: Webserver) -> None:
    webserver.will_answer(
        {
            "runOrError": {"__typename": "RunNotFoundError"},
            "logsForRun": {"__typename": "RunNotFoundError"},
        }
    )
    with pytest.raises(ConfigInvalid, match="knows no run run-1"):
        webserver.api.events("run-1", None)


def test_nobody_listens() -> None:
    with pytest.raises(TargetUnavailable, match="`gp up` starts it"):
        DagsterApi("http://127.0.0.1:1").events("run-1", None)
