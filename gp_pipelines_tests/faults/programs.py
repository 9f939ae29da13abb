"""What the jobs do, step by step as their ops do it, on a fake target and without Dagster."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from gp_pipelines.cleanup.contraction import Contracted, contract
from gp_pipelines.cleanup.engine import cleanup
from gp_pipelines.cleanup.reconcile import reconcile
from gp_pipelines.cleanup.repair import repair
from gp_pipelines.databases.compatibility.finding import Finding, Report
from gp_pipelines.databases.contract import Backup, Checked, Migration, Pending, Schema
from gp_pipelines.errors import FenceLost, GpError, TargetUnavailable, outcome_of
from gp_pipelines.model import Artifact, Holder, Plan, Progress
from gp_pipelines.platform import Platform
from gp_pipelines.release import engine, promotion
from gp_pipelines.release.attempt import Attempt, RunIdentity
from gp_pipelines.release.planning import ReleaseRequest, plan
from gp_pipelines.rollback import engine as rollback
from gp_pipelines.rollback.assessment import Already
from gp_pipelines.rollback.attempt import RollbackAttempt
from gp_pipelines.rollback.request import RollbackRequest
from gp_pipelines.services import Service
from gp_pipelines.traffic import transitions
from gp_pipelines.traffic.fence import Hold, take
from gp_pipelines_tests.faults.fake_target import BEGINNING
from gp_pipelines_tests.faults.program import Program, this_program

STEPS = ("plan", "build", "backup", "migrate", "deploy", "smoke", "switch", "schedule_cleanup")


def a_service(
    keep_failed_seconds: float = 0,
    retention_seconds: float = 60,
    bake_seconds: float = 0,
    **more: Any,
) -> Service:
    return Service.model_validate(
        {
            "name": "api",
            "artifact": {"kind": "wheel", "source": "."},
            "command": ["api"],
            "identity": {"path": "/health"},
            "smoke": {"checks": [{"path": "/health"}]},
            "retention_seconds": retention_seconds,
            "confirm_seconds": 5,
            "keep_failed_seconds": keep_failed_seconds,
            "bake_seconds": bake_seconds,
            "timeouts": {"deploy": 3, "smoke": 3, "switch": 2, "drain": 3},
            **more,
        }
    )


class StoredArtifacts:
    """Every version is built already."""

    def stored(self, version: str) -> Artifact | None:
        return an_artifact(version)

    def provide(self, version: str, progress: Callable[[str], None], timeout: float) -> Artifact:
        return an_artifact(version)


def an_artifact(version: str) -> Artifact:
    return Artifact("api", version, f"sha256:{version}", "/somewhere", 1, built=False)


# The URLs of shadows.
MIGRATED, UNMIGRATED = "postgresql:///migrated", "postgresql:///unmigrated"


class BehindDatabase:
    """Has something to migrate, and is not asked for more."""

    def pending(self, artifact: Artifact, progress: Progress) -> Pending:
        return Pending(("2_more",), ())


class TinyDatabase:
    """Has a schema, and migrations that versions bring with them."""

    def __init__(self) -> None:
        self.applied = ["1_first"]
        self.brings: dict[str, str] = {}  # the migration of a version
        self.answers = True
        self.unknown: tuple[int, ...] = ()  # applied, and in no version
        self.findings: list[Finding] = []  # of every check
        self.broken_by_migrating: set[str] = set()  # releases
        self.contracts: dict[str, str] = {}  # a version's migration of the contract phase

    def require_up(self) -> None:
        pass

    def schema(self) -> Schema:
        if not self.answers:
            raise TargetUnavailable("the database does not answer")
        return Schema(self.applied[-1], "-".join(self.applied))

    def pending(self, artifact: Artifact, progress: Progress) -> Pending:
        brought = self.brings.get(artifact.version)
        missing = (brought,) if brought and brought not in self.applied else ()
        return Pending(missing, self.unknown)

    def backup(self, release_id: str, progress: Progress, timeout: float) -> Backup:
        return Backup("1", BEGINNING, "/somewhere", 1, {}, verified=True, seconds=1)

    def url(self) -> str:
        return "postgresql:///live"

    def check(
        self,
        artifact: Artifact,
        live: Artifact | None,
        rehearse: Callable[[str], object],
        progress: Progress,
        timeout: float,
    ) -> Checked:
        rehearse(MIGRATED)
        applied = [*self.applied, *self.pending(artifact, progress).versions]
        return Checked(Report.of(self.findings), Schema(applied[-1], "-".join(applied)))

    def contracting(self) -> "TinyDatabase":
        other = copy(self)
        other.brings = self.contracts
        return other

    def shadow(self, progress: Progress, timeout: float) -> AbstractContextManager[str]:
        return nullcontext(UNMIGRATED)

    def migrate(
        self, artifact: Artifact, release_id: str, progress: Progress, timeout: float
    ) -> Migration:
        applied = self.pending(artifact, progress).versions
        self.applied += applied
        this_program().world.fails_smoke |= self.broken_by_migrating
        return Migration(applied, 1, "")


DATABASE: Any = None  # what all programs work with


def platform_of(program: Program, service: Service) -> Platform:
    return Platform(
        service=service,
        target=program.target,
        artifacts=StoredArtifacts(),  # type: ignore[arg-type]
        database=DATABASE,
        read_secret=lambda name, source: name,
    )


@dataclass
class Release:
    """A release over all of its runs. What its steps gave is what Dagster keeps for the next."""

    release_id: str
    request: ReleaseRequest
    plan: Plan | None = None
    passed: list[str] = field(default_factory=list)
    run: Program | None = None  # the present or last one

    @property
    def next_step(self) -> str:
        return STEPS[len(self.passed)]


def run_release(program: Program, service: Service, release: Release, from_step: str) -> None:
    """From the beginning, or as a re-execution from a step: with the plan of the first run."""
    attempt = _attempt(program, service, release.release_id, "release")
    release.passed = list(STEPS[: STEPS.index(from_step)])
    with _ended(attempt):
        for step in STEPS[STEPS.index(from_step) :]:
            _do(attempt, release, step)
            release.passed.append(step)
            if step == "smoke" and release.plan and release.plan.manual:
                engine.reserve(attempt, release.plan, an_artifact(release.request.version))
                return


def _do(attempt: Attempt, release: Release, step: str) -> None:
    if step == "plan":
        release.plan = plan(attempt, release.request)
        return
    assert release.plan is not None
    artifact = an_artifact(release.request.version)
    match step:
        case "build":
            engine.build(attempt, release.plan)
        case "backup":
            engine.backup(attempt, release.plan, artifact)
        case "migrate":
            engine.migrate(attempt, release.plan, artifact)
        case "deploy":
            engine.deploy_inactive(attempt, release.plan, artifact)
        case "smoke":
            engine.smoke(attempt, release.plan, artifact)
        case "switch":
            engine.switch(attempt, release.plan, artifact)
        case "schedule_cleanup":
            engine.schedule_cleanup(attempt, release.plan)


def run_promotion(program: Program, service: Service) -> None:
    release_id = promotion.waiting_release(platform_of(program, service))
    attempt = _attempt(program, service, release_id, "promote")
    with _ended(attempt):
        decided, artifact = promotion.plan_promotion(attempt)
        engine.switch(attempt, decided, artifact)
        engine.schedule_cleanup(attempt, decided)


def run_rejection(program: Program, service: Service) -> None:
    release_id = promotion.waiting_release(platform_of(program, service))
    attempt = _attempt(program, service, release_id, "reject")
    with _ended(attempt):
        promotion.reject(attempt, "not wanted")


def run_cleanup(program: Program, service: Service) -> None:
    cleanup(
        platform_of(program, service),
        holder_of(program, "cleanup"),
        program.progress,
        clock=program.monotonic,
        sleep=program.sleep,
    )


def run_contract(program: Program, service: Service, accepted: str = "") -> Contracted:
    return contract(
        platform_of(program, service),
        holder_of(program, "contract"),
        accepted,
        program.progress,
        clock=program.monotonic,
        sleep=program.sleep,
    )


def run_reconciler(program: Program, service: Service) -> None:
    platform = platform_of(program, service)
    store, holder = platform.target.traffic, holder_of(program, "reconcile")
    hold = take(store, holder, program.progress, clock=program.monotonic, sleep=program.sleep)
    try:
        with hold.step(60):
            for line in reconcile(hold, platform, program.progress):
                program.progress(line)
    finally:
        hold.leave()


def run_repair(program: Program, service: Service) -> None:
    """A person says: where the traffic goes to is right."""
    repair(
        platform_of(program, service),
        holder_of(program, "repair"),
        "observed",
        "it is fine",
        program.progress,
        clock=program.monotonic,
        sleep=program.sleep,
    )


def run_rollback(
    program: Program, service: Service, request: RollbackRequest
) -> Already | rollback.RolledBack:
    """As the job does it; with `request.now` as the command line does it."""
    platform = platform_of(program, service)
    attempt = RollbackAttempt(
        platform,
        request,
        program.run_id,
        "a person",
        program.progress,
        clock=program.monotonic,
        sleep=program.sleep,
    )
    try:
        found = attempt.begin()
        if isinstance(found, Already):
            return found
        rollback.restore_previous(attempt, found)
        done = rollback.switch_back(attempt, found)
        rollback.quarantine(attempt, found, done)
        rollback.conclude(attempt, found, done)
        if not request.now:
            with attempt.hold.step(300):
                reconcile(attempt.hold, platform, program.progress)
        return done
    except GpError as error:
        attempt.failed(error)
        raise
    finally:
        attempt.close()


def seize_fence(program: Program) -> None:
    """Take the fence without looking at its holder, as a rollback does, and leave it again."""
    store = program.target.traffic
    before = store.read()
    holder = holder_of(program, "rollback")
    taken = transitions.taken(before.record, holder)
    written = store.write(replace(taken, revision=taken.revision + 1), before)
    store.write_copy(written.record)
    hold = Hold(store, holder, written, clock=program.monotonic, sleep=program.sleep)
    hold.leave()


def _attempt(program: Program, service: Service, release_id: str, kind: str) -> Attempt:
    return Attempt(
        platform_of(program, service),
        RunIdentity(program.run_id, release_id, kind, "a person"),
        reconcile,
        program.progress,
        clock=program.monotonic,
        sleep=program.sleep,
    )


@contextmanager
def _ended(attempt: Attempt) -> Iterator[None]:
    """As the ops end: an expected error is undone, and the fence is let go in any case."""
    try:
        yield
    except FenceLost:
        raise
    except GpError as error:
        attempt.abandon(error.what, outcome_of(error))
        raise
    finally:
        attempt.close()


def holder_of(program: Program, kind: str) -> Holder:
    return Holder(program.run_id, program.run_id, kind, "a person")
