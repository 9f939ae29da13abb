"""Versions that are tried with a schema that is not live yet: started apart from every slot."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gp_pipelines.databases.contract import Database
from gp_pipelines.errors import GpError, StepFailed
from gp_pipelines.model import Progress, Slot, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.services import Smoke
from gp_pipelines.smoke.checks import run_checks

EMPTY = "on the shadow, which has no rows but those that migrations made"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One version that ran on the migrated shadow, or could not."""

    slot: Slot
    works: bool | None  # None: it was not tried, or says nothing
    why: str


def versions_of(record: TrafficRecord) -> Iterator[Slot]:
    """Those that have to live with a new schema: what is live, and what a rollback goes back to."""
    seen = set()
    for slot in (record.live, record.previous):
        if slot is not None and (slot.digest, slot.config_hash) not in seen:
            seen.add((slot.digest, slot.config_hash))
            yield slot


def rehearse(platform: Platform, slot: Slot, url: str, progress: Progress) -> Rehearsed:
    """`slot`'s version against the database at `url`, with its own configuration."""
    service = platform.service
    try:
        with _running(platform, slot, url, progress) as address:
            progress(f"smoking {slot.describe()} on the shadow")
            run_checks(
                address,
                _without_latency(service.smoke),
                slot.version,
                service.timeouts.smoke,
                lambda line: None,
            )
    except StepFailed as failure:
        return Rehearsed(slot, False, failure.what)
    except GpError as error:  # how it was started is not known, or its artifact is gone
        return Rehearsed(slot, None, error.what)
    return Rehearsed(slot, True, f"it passed its smoke checks {EMPTY}")


@contextmanager
def _running(platform: Platform, slot: Slot, url: str, progress: Progress) -> Iterator[str]:
    launch = platform.recorded_launch(slot, database_url=url)
    progress(f"starting one more replica of {slot.describe()} with the shadow")
    with platform.target.rehearse(slot, launch, platform.service.timeouts.deploy, progress) as at:
        yield at


def weighed(
    platform: Platform, database: Database, tried: Sequence[Rehearsed], progress: Progress
) -> tuple[Rehearsed, ...]:
    """What fails on a shadow without the migrations as well says nothing about them."""
    if all(each.works is not False for each in tried):
        return tuple(tried)
    progress("trying what failed there without the migrations")
    with database.shadow(progress, platform.service.timeouts.migrate) as url:
        return tuple(_compared(platform, each, url, progress) for each in tried)


def _compared(platform: Platform, tried: Rehearsed, url: str, progress: Progress) -> Rehearsed:
    if tried.works is not False:
        return tried
    before = rehearse(platform, tried.slot, url, progress)
    if before.works is False:
        return replace(tried, works=None, why=f"without the migrations as well: {before.why}")
    return tried


def _without_latency(smoke: Smoke) -> Smoke:
    """One round, however slow: a replica that has just been started says nothing of its speed."""
    checks = tuple(check.model_copy(update={"max_ms": None}) for check in smoke.checks)
    return smoke.model_copy(update={"checks": checks, "repeat": 1})
