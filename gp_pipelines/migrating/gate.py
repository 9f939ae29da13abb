"""The gate before the live database: does the version that is live survive these migrations?

Its queries and the catalogue are judged by `databases`; here the versions themselves are rehearsed:
the one that is live, and the one that a rollback would go back to, each started apart from every
slot, against the migrated shadow.
"""

from dataclasses import dataclass
from typing import Any

from gp_pipelines.databases.compatibility.finding import Finding, Report, Severity, Verdict
from gp_pipelines.databases.contract import Schema
from gp_pipelines.errors import Refused
from gp_pipelines.migrating.rehearsal import EMPTY, Rehearsed, rehearse, versions_of, weighed
from gp_pipelines.model import Artifact, Progress, Slot, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.services import Service

EXPAND_FIRST = "Keep what it uses until no version that uses it is live: docs/migrations.md."
SHOWN = 5  # findings in an error


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

    def on_shadow(url: str) -> None:
        tried.extend(rehearse(platform, slot, url, progress) for slot in versions_of(record))

    checked = database.check(
        artifact,
        platform.artifacts.stored(live.version) if live else None,
        on_shadow,
        progress,
        service.timeouts.migrate,
    )
    rehearsed = weighed(platform, database, tried, progress)
    own = [_finding(each, record) for each in rehearsed if not each.works]
    return Judgement(Report.of([*own, *checked.report.findings]), checked.schema, rehearsed)


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


class GateClosed(Refused):
    """Migrations that need a person's word were not applied. `report` says why."""

    def __init__(self, report: Report, artifact: Artifact, state: str) -> None:
        service, version = artifact.service, artifact.version
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


def require_passed(judgement: Judgement, artifact: Artifact, accepted: str, *, state: str) -> None:
    """Raise `GateClosed`, unless nothing is serious or a person `accepted` it with a reason.

    `state` is what holds now.
    """
    if judgement.report.verdict is not Verdict.COMPATIBLE and not accepted:
        raise GateClosed(judgement.report, artifact, state)
