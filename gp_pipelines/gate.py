"""The gate before the live database: does the version that is live survive these migrations?

Its queries and the catalogue are judged by `databases`; here the versions themselves are rehearsed:
the one that is live, and the one that a rollback would go back to, each started apart from every
slot, against the migrated shadow.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from gp_pipelines.databases.compatibility.finding import Finding, Report, Severity, Verdict
from gp_pipelines.databases.contract import Database, Schema
from gp_pipelines.errors import GpError, Refused, StepFailed
from gp_pipelines.model import Artifact, Progress, Slot, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.services import Service, Smoke
from gp_pipelines.smoke.checks import run_checks

EMPTY = "on the shadow, which has no rows but those that migrations made"
EXPAND_FIRST = "Keep what it uses until no version that uses it is live: docs/migrations.md."
SHOWN = 5  # findings in an error


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One version that ran on the migrated shadow, or could not."""

    slot: Slot
    works: bool | None  # None: it was not tried, or says nothing
    why: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of migrations before they are applied."""

    report: Report
    schema: Schema  # that they make
    rehearsed: tuple[Rehearsed, ...]

    def proved(self) -> list[dict[str, Any]]:
        """Of which version what was proved, for scripts and for the release's record."""
        return [
            {"version": each.slot.version, "works": each.works, "why": each.why}
            for each in self.rehearsed
        ]


def seconds(service: Service) -> float:
    """The longest that `judge` takes."""
    timeouts = service.timeouts
    return 2 * timeouts.migrate + 4 * (timeouts.deploy + timeouts.smoke)


def judge(platform: Platform, artifact: Artifact, progress: Progress) -> Judgement:
    """Try the migrations of `artifact` on a shadow. The live database is only read.

    Raises `StepFailed`, `Refused` and `ConfigInvalid` where it can't be tried, and
    `TargetUnavailable`. `platform` has a database.
    """
    database, service = platform.database, platform.service
    assert database is not None
    record = platform.target.traffic.read().record
    live = record.live
    tried: list[Rehearsed] = []

    def rehearse(url: str) -> None:
        tried.extend(_rehearse(platform, slot, url, progress) for slot in versions_of(record))

    checked = database.check(
        artifact,
        platform.artifacts.stored(live.version) if live else None,
        rehearse,
        progress,
        service.timeouts.migrate,
    )
    rehearsed = _weighed(platform, database, tried, progress)
    own = [_finding(each, record) for each in rehearsed if not each.works]
    return Judgement(Report.of([*own, *checked.report.findings]), checked.schema, rehearsed)


def versions_of(record: TrafficRecord) -> Iterator[Slot]:
    """Those that have to live with a new schema: what is live, and what a rollback goes back to."""
    seen = set()
    for slot in (record.live, record.previous):
        if slot is not None and (slot.digest, slot.config_hash) not in seen:
            seen.add((slot.digest, slot.config_hash))
            yield slot


def _rehearse(platform: Platform, slot: Slot, url: str, progress: Progress) -> Rehearsed:
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


def _weighed(
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
    before = _rehearse(platform, tried.slot, url, progress)
    if before.works is False:
        return replace(tried, works=None, why=f"without the migrations as well: {before.why}")
    return tried


def _finding(tried: Rehearsed, record: TrafficRecord) -> Finding:
    is_live = tried.slot == record.live
    if tried.works is None:
        return Finding(
            Severity.NOTE,
            "version-not-tried",
            tried.slot.describe(),
            f"what is known of it only when it is smoked after the migration: it could not be "
            f"tried {EMPTY}. {tried.why}",
            "Give the service smoke checks that pass on an empty database.",
        )
    if is_live:
        return Finding(
            Severity.BREAKING,
            "live-version-fails",
            tried.slot.describe(),
            f"the version that is live, started on the migrated shadow: {tried.why}",
            EXPAND_FIRST,
        )
    return Finding(
        Severity.APPROVAL if _is_warm(tried.slot, record) else Severity.NOTE,
        "rollback-closed",
        tried.slot.describe(),
        f"the way back to it, from this migration on: {tried.why}",
        EXPAND_FIRST,
    )


def _is_warm(slot: Slot, record: TrafficRecord) -> bool:
    kept = record.kept_slot(slot.name)
    return kept is not None and kept.state is SlotState.WARM


def _without_latency(smoke: Smoke) -> Smoke:
    """One round, however slow: a replica that has just been started says nothing of its speed."""
    checks = tuple(check.model_copy(update={"max_ms": None}) for check in smoke.checks)
    return smoke.model_copy(update={"checks": checks, "repeat": 1})


class GateClosed(Refused):
    """Migrations that need a person's word were not applied. `report` says why."""

    def __init__(self, report: Report, service: str, version: str, state: str) -> None:
        serious = [each for each in report.findings if each.severity is not Severity.NOTE]
        lines = [f"  {each.severity}: {each.rule} {each.object}" for each in serious[:SHOWN]]
        if len(serious) > SHOWN:
            lines.append(f"  and {len(serious) - SHOWN} more")
        breaks = report.verdict is Verdict.BREAKING
        what = "would break the version that is live" if breaks else "need a person's approval"
        super().__init__(
            "\n".join([f"The migrations of {service} {version} {what}:", *lines]),
            state=state,
            advice=f"`gp migrations check {service} {version}` shows each with the way to do it "
            "instead. To apply them as they are, ask with `accept_findings` "
            "(--accept-findings REASON).",
        )
        self.report = report


def require_passed(
    judgement: Judgement, service: str, version: str, accepted: str, *, state: str
) -> None:
    """Raise `GateClosed`, unless nothing is serious or a person `accepted` it with a reason.

    `state` is what holds now.
    """
    if judgement.report.verdict is not Verdict.COMPATIBLE and not accepted:
        raise GateClosed(judgement.report, service, version, state)
