"""Applying migrations to the live database: judged before, and proved with the live version after.

Whoever migrates holds the fence; nothing here moves traffic.
"""

from dataclasses import dataclass
from typing import Any

from gp_pipelines.databases import proofs
from gp_pipelines.databases.compatibility.finding import Verdict
from gp_pipelines.databases.contract import Migration, Pending
from gp_pipelines.errors import GpError, StepFailed
from gp_pipelines.migrating import gate
from gp_pipelines.migrating.gate import Judgement
from gp_pipelines.model import Artifact, Progress, Slot
from gp_pipelines.platform import Platform
from gp_pipelines.services import Service
from gp_pipelines.smoke.checks import CheckResult, run_checks
from gp_pipelines.traffic.fence import Hold


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose migrations are to be applied, and who asks for it."""

    platform: Platform
    artifact: Artifact
    run_id: str  # by which the sessions of the migration are known
    actor: str
    accepted: str  # why, whatever the gate finds; empty: not whatever


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of the database in a release."""

    pending: Pending
    migration: Migration | None = None  # None: nothing was pending
    judgement: Judgement | None = None  # None: no version was live, or nothing pending
    accepted: str = ""  # why its findings were
    live_checks: tuple[CheckResult, ...] = ()  # the live version on the new schema
    live_fails: str = ""  # why, where that was accepted

    def facts(self) -> dict[str, Any]:
        """What the release's record says of it, and of which version was proved."""
        facts: dict[str, Any] = {"applied": list(self.migration.applied) if self.migration else []}
        if self.judgement is not None:
            facts["verdict"] = str(self.judgement.report.verdict)
            facts["schema"] = self.judgement.schema.name
            facts["proved"] = self.judgement.proved()
            if self.judgement.report.verdict is not Verdict.COMPATIBLE:
                facts["accepted"] = self.accepted
        return facts | ({"live_fails": self.live_fails} if self.live_fails else {})


def seconds(service: Service) -> float:
    """The longest that `migrate` takes."""
    return service.timeouts.migrate + service.timeouts.smoke + gate.seconds(service)


def note_proof(platform: Platform, hold: Hold, slot: Slot, works: bool, why: str) -> None:
    """What a rollback to `slot` asks: does it work with the schema that is there now?"""
    if platform.database is not None:
        now = hold.read().now
        proofs.note(platform.target.ledger, slot, platform.database.schema(), works, why, now)


def migrate(asked: Asked, hold: Hold, pending: Pending, progress: Progress) -> Migrated:
    """Judge what is pending on a shadow, apply it, smoke the live version on the new schema.

    Raises `GateClosed` for findings that nobody has accepted; then nothing was applied.
    """
    database = asked.platform.database
    assert database is not None
    live = hold.read().record.live
    judgement = _judge(asked, hold, progress) if live else None
    hold.read()
    try:
        done = database.migrate(
            asked.artifact,
            asked.run_id,
            hold.telling(progress),
            asked.platform.service.timeouts.migrate,
        )
    except StepFailed as failure:
        raise _with_live_state(asked, hold, live, failure, progress) from failure
    checks, live_fails = _live_on_new_schema(asked, hold, live, judgement, progress)
    return Migrated(pending, done, judgement, asked.accepted, checks, live_fails)


def _judge(asked: Asked, hold: Hold, progress: Progress) -> Judgement:
    """Raises `GateClosed`. What was proved of each version is noted before anything is applied."""
    platform, artifact = asked.platform, asked.artifact
    judgement = gate.judge(platform, artifact, hold.telling(progress))
    progress(f"the gate says: {judgement.report.verdict}")
    now = hold.read().now
    for each in judgement.rehearsed:
        if each.works is not None:
            ledger = platform.target.ledger
            proofs.note(ledger, each.slot, judgement.schema, each.works, each.why, now)
    gate.require_passed(
        judgement,
        artifact,
        asked.accepted,
        state="The database was not touched, and traffic is where it was.",
    )
    if judgement.report.verdict is not Verdict.COMPATIBLE:
        progress(f"accepted by {asked.actor}: {asked.accepted}")
    return judgement


def _live_on_new_schema(
    asked: Asked, hold: Hold, live: Slot | None, judgement: Judgement | None, progress: Progress
) -> tuple[tuple[CheckResult, ...], str]:
    """Its checks; or why it fails, where a person has accepted that it breaks.

    Then only the new version ends what users suffer, and its release goes on.
    """
    try:
        return _smoke_live(asked, hold, live, progress), ""
    except StepFailed as failure:
        if judgement is None or judgement.report.verdict is not Verdict.BREAKING:
            raise
        progress(f"{failure.what} That was accepted.")
        return (), failure.what


def _smoke_live(
    asked: Asked, hold: Hold, live: Slot | None, progress: Progress
) -> tuple[CheckResult, ...]:
    """Prove the live version on the new schema, through the entrance. No live version: nothing."""
    service = asked.platform.service
    if live is None:
        return ()
    progress(f"smoking the live version {live.describe()} on the new schema")
    try:
        passed = run_checks(
            asked.platform.target.entrance.url,
            service.smoke,
            live.version,
            service.timeouts.smoke,
            progress,
        )
    except StepFailed as failure:
        note_proof(asked.platform, hold, live, False, failure.what)
        raise StepFailed(
            f"The live version {live.describe()} fails on the new schema: {failure.what}",
            state="The migration was applied; traffic is still on the live version.",
            advice="The database only goes forward: apply a migration that restores what the live "
            "version needs, or restore the backup as described in the runbook.",
        ) from failure
    note_proof(asked.platform, hold, live, True, "it passed its smoke checks on it")
    return passed


def _with_live_state(
    asked: Asked, hold: Hold, live: Slot | None, failure: StepFailed, progress: Progress
) -> StepFailed:
    """`failure` of a migration, with whether the live version still works."""
    if live is None:
        return failure
    try:
        _smoke_live(asked, hold, live, progress)
        works = f"The live version {live.describe()} passes its smoke checks."
    except GpError as broken:
        works = broken.what
    state = f"{failure.state}\n{works}".strip()
    return StepFailed(failure.what, state=state, advice=failure.advice)
