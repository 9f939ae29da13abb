"""What people see of a restore while it is under way, and are told at its end."""

from dataclasses import replace

from gp_pipelines.errors import Refused
from gp_pipelines.notifications.contract import Kind, Severity
from gp_pipelines.restore.attempt import RestoreAttempt
from gp_pipelines.restore.ending import ending_of
from gp_pipelines.status import read_status
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.restore.conftest import BACKUP, Lost


def attempt_of(lost: Lost, run: Program) -> RestoreAttempt:
    """As it is when the fence was let go."""
    platform = replace(programs.platform_of(run, lost.story.service), target=lost.story.target)
    return RestoreAttempt(platform, lost.ask(), run.run_id, lambda *_: [], print)


def state(lost: Lost) -> tuple[str, tuple[str, ...]]:
    """And what is said of a restore."""
    platform = replace(
        programs.platform_of(lost.story.programs[-1], lost.story.service),
        target=lost.story.target,
        database=None,
    )
    found = read_status(platform)
    return found.state, tuple(said for said in found.remarks if "restoring" in said)


def test_status_says_who_restores_what_and_why(lost: Lost) -> None:
    run = lost.begun()
    lost.story.go_until(run, lambda: lost.server.read_only)
    said = f"ann is restoring backup {BACKUP} (run {run.run_id}): dropped"
    assert state(lost) == ("restoring", (said,))
    run.kill()  # until the reconciler has ended it
    assert state(lost) == ("restoring", (said,))
    lost.story.run(programs.run_reconciler)
    assert state(lost) == ("live", ())


def test_people_are_told_which_data_the_service_works_with(lost: Lost) -> None:
    told = ending_of(attempt_of(lost, lost.restore()), "http://dagster/runs/1")
    assert told
    assert (told.kind, told.severity) == (Kind.RESTORE_SUCCEEDED, Severity.WARNING)
    assert told.title == f"api: restored: 2 works with backup {BACKUP}"
    assert "The data are in api_restored_run3 now. api is kept, and is read-only." in told.what
    assert (told.facts["by"], told.facts["database"]) == ("ann", "api_restored_run3")
    assert told.url == "http://dagster/runs/1"


def test_people_are_told_of_one_that_was_undone(lost: Lost) -> None:
    lost.server.troubles["restore"] = "the dump cannot be read"
    told = ending_of(attempt_of(lost, lost.restore()), None)
    assert told
    assert (told.kind, told.severity) == (Kind.RESTORE_FAILED, Severity.CRITICAL)
    assert told.title == "api: A RESTORE HAS FAILED"
    assert "the dump cannot be read" in told.what
    assert told.facts["database"] == "api"


def test_who_was_refused_at_once_has_been_told(lost: Lost) -> None:
    run = lost.restore(backup="other")
    assert isinstance(run.error, Refused)
    assert ending_of(attempt_of(lost, run), None) is None
