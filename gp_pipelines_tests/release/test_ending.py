"""What people are told of a run, of each way in which one can end; through Dagster's own runs."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from gp_pipelines.cleanup.reconcile import reconcile
from gp_pipelines.errors import FenceLost, Refused, StepFailed
from gp_pipelines.model import MovedBy
from gp_pipelines.platform import Platform
from gp_pipelines.release import engine, promotion
from gp_pipelines.release.job import promote_job, release_job
from gp_pipelines.release.resource import attempts_resource
from gp_pipelines.services import Services
from gp_pipelines_tests.faults.fake_target import FakeTarget, World
from gp_pipelines_tests.faults.programs import StoredArtifacts, a_service
from gp_pipelines_tests.notifications.receiver import Receiver


@dataclass
class Project:
    """A service on a fake target, and the channel where people are told."""

    receiver: Receiver
    world: World = field(default_factory=lambda: World("api"))

    def __post_init__(self) -> None:
        service = a_service()
        self.services = Services(Path("services.yaml"), {"api": service})
        artifacts: Any = StoredArtifacts()
        self.platform = Platform(
            service, FakeTarget(self.world), artifacts, None, lambda *_: "no secret"
        )

    def release(self, version: str, **form: Any) -> dg.ExecuteInProcessResult:
        asked = {"service": "api", "version": version, **form}
        return self._run(release_job(self.services), asked)

    def promote(self) -> dg.ExecuteInProcessResult:
        return self._run(promote_job(self.services), {"service": "api"})

    def told(self) -> list[tuple[str, str, str]]:
        """The kind, severity and title of each, since it was last asked."""
        told = [each.body["data"] for each in self.receiver.received]
        self.receiver.received.clear()
        return [(data["kind"], data["severity"], data["title"]) for data in told]

    def _run(self, job: dg.JobDefinition, form: dict[str, Any]) -> dg.ExecuteInProcessResult:
        platforms: Any = {"api": self.platform}
        return job.execute_in_process(
            run_config=form,
            resources={"attempts": attempts_resource(platforms, reconcile)},
            raise_on_error=False,
        )


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """With version 1 live."""
    for module in (engine, promotion):
        monkeypatch.setattr(module, "run_checks", lambda *_: ())
    with Receiver() as receiver:
        monkeypatch.setenv("GP_NOTIFY_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("GP_DAGSTER_URL", "http://dagster/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        project = Project(receiver)
        project.release("1")
        assert project.told() == [("release_succeeded", "info", "api: 1 (#1) is live")]
        yield project


def steps(run: dg.ExecuteInProcessResult) -> list[str | None]:
    """Those that have succeeded."""
    return [event.step_key for event in run.all_events if event.is_step_success]


def failing(error: BaseException) -> Callable[..., None]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


def test_a_release_that_succeeds_is_told_with_its_run_and_its_switch(project: Project) -> None:
    run = project.release("2")
    assert run.success
    (got,) = project.receiver.received
    data = got.body["data"]
    assert data["what"] == "1 → 2 on green"
    assert (data["run_id"], data["url"]) == (run.run_id, f"http://dagster/runs/{run.run_id}")
    assert data["facts"]["version before"] == "1"
    assert "all new, verified (ms)" in data["facts"]
    assert project.told() == [("release_succeeded", "info", "api: 2 (#2) is live")]


def test_it_is_told_once_the_fence_is_let_go(project: Project) -> None:
    held: list[object] = []
    project.receiver.look = lambda: held.append(project.world.record.holder)
    assert project.release("2").success
    assert held == [None]


def test_a_release_that_fails_is_told_with_what_happened_and_what_holds(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    sick = StepFailed("2 failed its checks.", state="Traffic is where it was.", advice="Mend it.")
    monkeypatch.setattr(engine, "run_checks", failing(sick))
    assert not project.release("2").success
    data = project.receiver.received[0].body["data"]
    assert data["what"] == "2 failed its checks.\nTraffic is where it was.\nMend it."
    title = "api: the release of 2 (#2) has failed"
    assert project.told() == [("release_failed", "warning", title)]


def test_a_release_that_waits_and_its_promotion_are_told(project: Project) -> None:
    project.release("2", manual=True)
    title = "api: 2 (#2) is proved and waits to be promoted"
    assert project.told() == [("release_waiting", "info", title)]
    assert project.promote().success
    assert project.told() == [("release_succeeded", "info", "api: 2 (#2) is live")]


def test_a_promotion_that_fails_is_told_and_that_the_release_waits_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.release("2", manual=True)
    project.told()
    monkeypatch.setattr(promotion, "run_checks", failing(StepFailed("2 is sick now.")))
    assert not project.promote().success
    title = "api: the promotion of 2 (#2) has failed; it still waits"
    assert project.told() == [("release_failed", "warning", title)]


def test_what_is_refused_at_once_is_told_to_nobody_else(project: Project) -> None:
    assert not project.release("1").success  # is live already
    assert not project.promote().success  # nothing waits
    project.release("2", manual=True)
    project.told()
    assert not project.release("3").success  # another one waits
    assert project.told() == []


def test_a_release_that_is_refused_later_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "require_new", failing(Refused("It is live already.")))
    assert not project.release("2").success
    assert [kind for kind, *_ in project.told()] == ["release_failed"]


def test_a_release_from_which_the_fence_was_taken_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "run_checks", failing(FenceLost("A rollback took over.")))
    assert not project.release("2").success
    assert "A rollback took over." in project.receiver.received[0].body["data"]["what"]
    assert [kind for kind, *_ in project.told()] == ["release_failed"]


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt()])
def test_a_run_that_ends_in_no_expected_way_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(engine, "run_checks", failing(error))
    with suppress(BaseException):
        assert not project.release("2").success
    data = project.receiver.received[0].body["data"]
    assert data["what"] == "the run ended before the release did"
    assert [kind for kind, *_ in project.told()] == ["release_failed"]


def test_a_release_that_stands_is_told_as_live_though_a_later_step_failed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "schedule_cleanup", failing(StepFailed("There is no deadline.")))
    assert not project.release("2").success
    assert project.told() == [("release_succeeded", "warning", "api: 2 (#2) is live")]


def test_traffic_that_nobody_could_verify_is_critical(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        record = project.world.record
        project.world.record = replace(record, confirmed=False, moved_by=MovedBy.ROLLBACK)
        raise StepFailed("The traffic could not be verified.")

    monkeypatch.setattr("gp_pipelines.traffic.switch.switch", fail)
    assert not project.release("2").success
    assert [severity for _, severity, _ in project.told()] == ["critical"]


@pytest.mark.parametrize("status", [0, 500])
def test_a_channel_that_hangs_or_fails_changes_nothing_of_the_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("gp_pipelines.notifications.notify.DEADLINE_SECONDS", 1.0)
    project.receiver.statuses = [status]
    run = project.release("2")
    assert run.success
    assert project.receiver.received
    assert project.world.record.live
    assert (project.world.record.live.version, project.world.record.holder) == ("2", None)
    monkeypatch.delenv("GP_NOTIFY_WEBHOOK_URL")
    without = project.release("3")
    assert steps(run) == steps(without)


def test_a_defect_in_telling_changes_nothing_of_the_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gp_pipelines.release.resource.ending_of", failing(ZeroDivisionError()))
    assert project.release("2").success
    assert project.told() == []
