"""Releases and rollbacks on the real local target, in a process that kills itself with SIGKILL at a
certain call.

It dies there as by any `kill -9`: no handler runs, its heart stops with it.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gp_pipelines.cleanup.engine import cleanup
from gp_pipelines.cleanup.reconcile import reconcile
from gp_pipelines.errors import FenceLost, GpError
from gp_pipelines.model import Artifact, Holder, MovedBy, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.release import engine
from gp_pipelines.release.attempt import Attempt, RunIdentity
from gp_pipelines.release.planning import ReleaseRequest, plan
from gp_pipelines.rollback import engine as rollback
from gp_pipelines.rollback.assessment import Already
from gp_pipelines.rollback.attempt import RollbackAttempt
from gp_pipelines.rollback.request import RollbackRequest
from gp_pipelines.services import SecretSource, Service
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.target import LocalTarget
from gp_pipelines.traffic.fence import take

_processes = multiprocessing.get_context("spawn")
SECONDS = 120.0
Condition = Callable[[TrafficRecord], bool]


@dataclass(frozen=True)
class Kill:
    """Before or after the `count`-th call of `part.method`, once the record is `in_state`."""

    part: str
    method: str
    after: bool = False
    count: int = 1
    in_state: str = "any"


IN_STATE: dict[str, Condition] = {
    "any": lambda record: True,
    "moved": lambda record: not record.confirmed,
    "confirmed": lambda record: record.confirmed and _live_number(record) == 2,
    "rolled back": lambda record: record.confirmed and record.moved_by is MovedBy.ROLLBACK,
    "reserved": lambda record: record.previous is not None and record.previous.name.endswith("-2"),
    "retiring": lambda record: any(k.state is SlotState.RETIRING for k in record.kept),
}


def _live_number(record: TrafficRecord) -> int:
    return record.live.number if record.live else 0


class StoredArtifacts:
    def __init__(self, service: str, location: str) -> None:
        self._service, self._location = service, location

    def stored(self, version: str) -> Artifact:
        digest = f"sha256:{version}"
        return Artifact(self._service, version, digest, self._location, 1, built=False)

    def provide(self, version: str, progress: Callable[[str], None], timeout: float) -> Artifact:
        return self.stored(version)


@dataclass(frozen=True)
class Place:
    """A service of the local target; may be sent to another process."""

    home: Home
    service: Service
    artifact: str

    def platform(self) -> Platform:
        return Platform(
            service=self.service,
            target=LocalTarget(self.home, self.service),
            artifacts=StoredArtifacts(self.service.name, self.artifact),  # type: ignore[arg-type]
            database=None,
            read_secret=lambda name, source: "secret",
        )


def with_short_times(service: Service) -> Service:
    timeouts = service.timeouts.model_copy(update={"drain": 5.0, "switch": 10.0})
    secrets = {"TOKEN": SecretSource(env="TOKEN")}
    return service.model_copy(update={"timeouts": timeouts, "secrets": secrets})


def release(place: Place, version: str, run_id: str) -> None:
    platform = place.platform()
    run = RunIdentity(run_id, run_id, "release", "a person")
    attempt = Attempt(platform, run, reconcile, _silent)
    try:
        decided = plan(attempt, ReleaseRequest(version))
        artifact = engine.build(attempt, decided)
        for step in (engine.backup, engine.migrate, engine.deploy_inactive, engine.smoke):
            step(attempt, decided, artifact)
        engine.switch(attempt, decided, artifact)
        engine.schedule_cleanup(attempt, decided)
    except FenceLost:
        raise
    except GpError as error:
        attempt.abandon(error.what)
        raise
    finally:
        attempt.close()


def roll_back(place: Place, release_id: str, run_id: str) -> Already | rollback.RolledBack:
    """With the steps of the job."""
    platform = place.platform()
    attempt = RollbackAttempt(platform, RollbackRequest(release_id), run_id, "a person", _silent)
    try:
        found = attempt.begin()
        if isinstance(found, Already):
            return found
        rollback.restore_previous(attempt, found)
        done = rollback.switch_back(attempt, found)
        rollback.quarantine(attempt, found, done)
        rollback.conclude(attempt, found, done)
        return done
    except GpError as error:
        attempt.failed(error)
        raise
    finally:
        attempt.close()


def clean_up(place: Place) -> None:
    cleanup(place.platform(), Holder("c", "c", "cleanup", "a test"), _silent)


def killed(place: Place, kill: Kill, work: Callable[..., object], *arguments: str) -> int:
    """`work(place, *arguments)`. Returns how its process ended: -9 where it was killed."""
    process = _processes.Process(target=_killed, args=(place, kill, work, arguments))
    process.start()
    process.join(SECONDS)
    assert process.exitcode is not None, "it did not end"
    return process.exitcode


def end_what_is_left(place: Place) -> list[str]:
    platform = place.platform()
    hold = take(platform.target.traffic, Holder("r", "r", "reconcile", "a test"), _silent)
    try:
        return reconcile(hold, platform, _silent)
    finally:
        hold.leave()


def _killed(
    place: Place, kill: Kill, work: Callable[..., object], arguments: tuple[str, ...]
) -> None:
    _arm(place, kill)
    work(place, *arguments)


def _arm(place: Place, kill: Kill) -> None:
    driver: Any = type(getattr(LocalTarget(place.home, place.service), kill.part))
    original = getattr(driver, kill.method)
    look = LocalTarget(place.home, place.service).traffic
    seen = 0

    def deadly(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        result = original(self, *args, **kwargs) if kill.after else None
        if IN_STATE[kill.in_state](look.read().record):
            seen += 1
            if seen == kill.count:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)
        return result if kill.after else original(self, *args, **kwargs)

    setattr(driver, kill.method, deadly)


def _silent(line: str) -> None:
    pass
