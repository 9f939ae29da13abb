"""A run as it is followed, from the events that Dagster gives."""

from typing import Any

from gp_pipelines.cli.dagster_api import RunEvents
from gp_pipelines.cli.run_view import RunView


def event(kind: str, step: str | None = None, at: float = 0.0, **more: Any) -> dict[str, Any]:
    fields = {"stepKey": step, "timestamp": str(at * 1000), "message": "", "level": "DEBUG"}
    return {"__typename": kind, **fields, **more}


def said(step: str, message: str) -> dict[str, Any]:
    return event("LogMessageEvent", step, message=message, level="INFO")


def failed(step: str, text: str, outcome: str) -> dict[str, Any]:
    metadata = {
        "description": text,
        "metadataEntries": [{"label": "outcome", "text": outcome}, {"label": "a table"}],
    }
    return event("ExecutionStepFailureEvent", step, 3.0, failureMetadata=metadata, error=None)


def view_of(status: str, *events: dict[str, Any]) -> RunView:
    view = RunView("run-1")
    view.take(RunEvents(status, {"gp/version": "v2"}, events, "cursor"))
    return view


def test_steps_have_times_and_progress() -> None:
    view = view_of(
        "STARTED",
        event("ExecutionStepStartEvent", "build", 1.0),
        said("build", "compiling"),
        event("ExecutionStepSuccessEvent", "build", 3.5),
        event("ExecutionStepStartEvent", "backup", 4.0),
    )
    assert view.lines == ["▶ build", "  build: compiling", "✓ build (2.5 s)", "▶ backup"]
    assert view.steps["build"].seconds(now=99.0) == 2.5
    assert view.steps["backup"].seconds(now=9.0) == 5.0
    assert not view.ended
    assert view.outcome == "under way"


def test_a_step_that_never_began_is_none_of_the_run() -> None:
    view = view_of("FAILURE", said("switch", "Dependencies failed. Not executing."))
    assert view.steps == {}
    assert view.lines == []


def test_a_refusal_is_told_from_a_failure() -> None:
    began = event("ExecutionStepStartEvent", "plan")
    refused = view_of("FAILURE", began, failed("plan", "It is busy.\n", "refused"))
    assert (refused.outcome, refused.failure) == ("refused", "It is busy.")
    broken = view_of("FAILURE", began, failed("plan", "It broke.", "failed"))
    assert broken.outcome == "failed"


def test_a_release_whose_switch_was_skipped_waits() -> None:
    skipped = view_of("SUCCESS", event("ExecutionStepSkippedEvent", "switch"))
    assert (skipped.outcome, skipped.lines) == ("waiting", ["- switch (skipped)"])
    assert view_of("SUCCESS").outcome == "done"
    assert view_of("CANCELED").outcome == "canceled"


def test_a_run_that_fails_outside_of_its_steps_says_why() -> None:
    error = {"message": "the process was killed"}
    assert view_of("FAILURE", event("RunFailureEvent", error=error)).failure == error["message"]


def test_what_follows_the_first_line_is_indented_with_it() -> None:
    view = view_of("STARTED", event("ExecutionStepStartEvent", "migrate"), said("migrate", "1\n2"))
    assert view.lines[1:] == ["  migrate: 1\n    2"]


def test_only_new_lines_are_told() -> None:
    view = view_of("STARTED", event("ExecutionStepStartEvent", "build"), said("build", "one"))
    view.take(RunEvents("STARTED", {}, (said("build", "two"),), "cursor"))
    assert view.lines == ["  build: two"]
