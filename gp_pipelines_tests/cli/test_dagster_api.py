"""Answers of a webserver that reality does not give on demand: each ends in one clear error."""

import json

import pytest

from gp_pipelines.cli.dagster_api import DagsterApi
from gp_pipelines.errors import ConfigInvalid, StepFailed, TargetUnavailable
from gp_pipelines_tests.cli.scripted_webserver import REPOSITORIES, Webserver


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
