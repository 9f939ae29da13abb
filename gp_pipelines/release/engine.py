"""The steps of a release after its plan, without Dagster. Each may be killed and run again.

Every step reads the fence before it changes something (`Attempt.step`, `Hold.write`), and leaves
evidence on the target when it has passed. What a step returns is small, for metadata and for the
next step.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from gp_pipelines import gate, history
from gp_pipelines.databases import proofs
from gp_pipelines.databases.compatibility.finding import Verdict
from gp_pipelines.databases.contract import Backup, Database, Migration, Pending
from gp_pipelines.errors import GpError, StepFailed
from gp_pipelines.gate import Judgement
from gp_pipelines.model import Artifact, Plan, Slot, SlotState
from gp_pipelines.release import deployment, evidence
from gp_pipelines.release.attempt import Attempt
from gp_pipelines.release.planning import require_new, require_unrestricted
from gp_pipelines.smoke.checks import CheckResult, run_checks
from gp_pipelines.targets.contract import SlotStatus
from gp_pipelines.traffic import events, transitions
from gp_pipelines.traffic import switch as traffic_switch


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


def build(attempt: Attempt, plan: Plan) -> Artifact:
    """The version's artifact, stored or built now."""
    platform = attempt.platform
    with attempt.step(plan, platform.service.timeouts.build) as hold:
        artifact = platform.artifacts.provide(
            plan.version, hold.telling(attempt.progress), platform.service.timeouts.build
        )
        require_new(plan, artifact)
        require_unrestricted(attempt, plan, artifact)
        history.built(platform.target.ledger, plan, artifact)
        _leave(attempt, "build", plan, artifact, {"size": artifact.size, "built": artifact.built})
    return artifact


def backup(attempt: Attempt, plan: Plan, artifact: Artifact) -> Backup | None:
    """A verified backup, if there is something to migrate."""
    platform = attempt.platform
    with attempt.step(plan, platform.service.timeouts.backup) as hold:
        pending = _pending(platform.database, artifact)
        made = None
        if platform.database is not None and pending:
            made = platform.database.backup(
                plan.release_id, hold.telling(attempt.progress), platform.service.timeouts.backup
            )
            if not made.verified:
                raise StepFailed(
                    f"Backup {made.id} could not be verified.",
                    state="The database was not migrated, and traffic is where it was.",
                )
        else:
            attempt.progress("nothing is pending: no backup is needed")
        facts = {"backup": made.id, "size": made.size} if made else {"pending": 0}
        _leave(attempt, "backup", plan, artifact, facts)
    return made


def migrate(attempt: Attempt, plan: Plan, artifact: Artifact) -> Migrated:
    """Judge the migrations on a shadow, apply them, smoke the live version on the new schema.

    Raises `GateClosed` for findings that nobody has accepted.
    """
    platform = attempt.platform
    service = platform.service
    timeout = service.timeouts.migrate + service.timeouts.smoke + gate.seconds(service)
    with attempt.step(plan, timeout) as hold:
        pending = _pending(platform.database, artifact)
        if platform.database is None or not pending:
            attempt.progress("nothing is pending: the database is left as it is")
            _leave(attempt, "migrate", plan, artifact, {"applied": []})
            return Migrated(pending)
        evidence.require(platform.target.ledger, plan, artifact, ("build", "backup"))
        judgement = _judge(attempt, plan, artifact) if plan.live else None
        hold.read()
        try:
            done = platform.database.migrate(
                artifact,
                plan.release_id,
                hold.telling(attempt.progress),
                service.timeouts.migrate,
            )
        except StepFailed as failure:
            raise _with_live_state(attempt, plan, failure) from failure
        checks, live_fails = _live_on_new_schema(attempt, plan, judgement)
        migrated = Migrated(pending, done, judgement, plan.accept_findings, checks, live_fails)
        _leave(attempt, "migrate", plan, artifact, migrated.facts())
    return migrated


def deploy_inactive(attempt: Attempt, plan: Plan, artifact: Artifact) -> SlotStatus:
    """Bring the new slot up on the idle color, at no less than the live capacity."""
    service = attempt.platform.service
    with attempt.step(plan, service.timeouts.deploy + service.timeouts.drain) as hold:
        status = deployment.bring_up(attempt, hold, plan, artifact)
        _leave(attempt, "deploy_inactive", plan, artifact, {"ready": status.ready})
    return status


def smoke(attempt: Attempt, plan: Plan, artifact: Artifact) -> tuple[CheckResult, ...]:
    """The service's checks against the preview of the new slot."""
    platform = attempt.platform
    timeout = platform.service.timeouts.smoke
    with attempt.step(plan, timeout + platform.service.timeouts.deploy) as hold:
        deployment.ensure_up(attempt, hold, plan, artifact)
        results = run_checks(
            platform.target.entrance.preview_url(plan.color),
            platform.service.smoke,
            plan.version,
            timeout,
            attempt.progress,
        )
        facts = {"checks": [asdict(result) for result in results]}
        _note_schema(attempt, plan.slot(artifact), True, "it passed its smoke checks")
        _leave(attempt, "smoke", plan, artifact, facts)
    return results


def reserve(attempt: Attempt, plan: Plan, artifact: Artifact) -> None:
    """`promotion: manual`: the slot waits, reserved on the target, until a person decides."""
    ledger = attempt.platform.target.ledger
    with attempt.step(plan, attempt.platform.service.timeouts.switch) as hold:
        evidence.require(ledger, plan, artifact, evidence.BEFORE_SWITCH)
        hold.write(lambda record, now: transitions.waiting(record, plan.slot(artifact)))
        history.ended(ledger, plan.release_id, "waiting")
    attempt.settle()
    attempt.progress(
        f"{plan.version} is proved and waits: `gp promote {plan.service}` sends traffic to it, "
        f"`gp reject {plan.service}` removes it"
    )


def switch(attempt: Attempt, plan: Plan, artifact: Artifact) -> traffic_switch.Switched:
    """Move the traffic, verify it through the entrance, confirm it; or switch back."""
    platform = attempt.platform
    service = platform.service
    ledger = platform.target.ledger
    timeout = service.timeouts.switch * 2 + service.timeouts.deploy
    with attempt.step(plan, timeout) as hold:
        evidence.require(ledger, plan, artifact, evidence.BEFORE_SWITCH)
        require_unrestricted(attempt, plan, artifact)
        deployment.ensure_up(attempt, hold, plan, artifact)
        done = traffic_switch.switch(
            hold, platform.target, service, plan.slot(artifact), attempt.progress
        )
        facts = done.facts()
        events.add_facts(ledger, done.event_key, {"digest": artifact.digest, **facts})
        _leave(attempt, "switch", plan, artifact, facts)
        history.switched(ledger, plan.release_id, facts)
        history.ended(ledger, plan.release_id, "released")
    attempt.settle()
    return done


def schedule_cleanup(attempt: Attempt, plan: Plan) -> datetime | None:
    """The deadline of the old slot, which the switch stored: checked, and shown.

    None when there is no old slot (a first release), or when it was retired already.
    """
    timeout = attempt.platform.service.timeouts.switch
    with attempt.step(plan, timeout, after_switch=True) as hold:
        record = hold.read().record
        attempt.settle()
        if record.previous is None:
            attempt.progress("there is no old slot: nothing to clean up")
            return None
        kept = record.kept_slot(record.previous.name)
        if kept is None and attempt.platform.target.slots.get(record.previous.name) is None:
            attempt.progress(f"{record.previous.describe()} was retired already")
            return None
        if kept is None or kept.state is not SlotState.WARM or kept.deadline is None:
            raise StepFailed(
                f"The old slot {record.previous.name} has no deadline in the record.",
                state="The release stands.",
                advice=f"See `gp status {plan.service}`.",
            )
        attempt.progress(f"{kept.slot.describe()} stays warm until {kept.deadline:%H:%M:%S} UTC")
        return kept.deadline


def _pending(database: Database | None, artifact: Artifact) -> Pending:
    return database.pending(artifact) if database is not None else Pending((), ())


def _judge(attempt: Attempt, plan: Plan, artifact: Artifact) -> Judgement:
    """Raises `GateClosed`. What was proved of each version is noted before anything is applied."""
    platform = attempt.platform
    judgement = gate.judge(platform, artifact, attempt.hold.telling(attempt.progress))
    attempt.progress(f"the gate says: {judgement.report.verdict}")
    now = attempt.hold.read().now
    for each in judgement.rehearsed:
        if each.works is not None:
            proofs.note(
                platform.target.ledger, each.slot, judgement.schema, each.works, each.why, now
            )
    gate.require_passed(
        judgement,
        plan.service,
        plan.version,
        plan.accept_findings,
        state="The database was not touched, and traffic is where it was.",
    )
    if judgement.report.verdict is not Verdict.COMPATIBLE:
        attempt.progress(f"accepted by {plan.actor}: {plan.accept_findings}")
    return judgement


def _live_on_new_schema(
    attempt: Attempt, plan: Plan, judgement: Judgement | None
) -> tuple[tuple[CheckResult, ...], str]:
    """Its checks; or why it fails, where a person has accepted that it breaks.

    Then only the new version ends what users suffer: the release goes on.
    """
    try:
        return _smoke_live(attempt, plan), ""
    except StepFailed as failure:
        if judgement is None or judgement.report.verdict is not Verdict.BREAKING:
            raise
        attempt.progress(f"{failure.what} That was accepted: the release goes on.")
        return (), failure.what


def _smoke_live(attempt: Attempt, plan: Plan) -> tuple[CheckResult, ...]:
    """Prove the live version on the new schema, through the entrance. No live version: nothing."""
    platform = attempt.platform
    if plan.live is None:
        return ()
    attempt.progress(f"smoking the live version {plan.live.describe()} on the new schema")
    try:
        passed = run_checks(
            platform.target.entrance.url,
            platform.service.smoke,
            plan.live.version,
            platform.service.timeouts.smoke,
            attempt.progress,
        )
    except StepFailed as failure:
        _note_schema(attempt, plan.live, False, failure.what)
        raise StepFailed(
            f"The live version {plan.live.describe()} fails on the new schema: {failure.what}",
            state="The migration was applied; traffic is still on the live version.",
            advice="The database only goes forward: apply a migration that restores what the live "
            "version needs, or restore the backup as described in the runbook.",
        ) from failure
    why = f"it passed its smoke checks in release #{plan.number}"
    _note_schema(attempt, plan.live, True, why)
    return passed


def _note_schema(attempt: Attempt, slot: Slot, works: bool, why: str) -> None:
    """What a rollback to `slot` asks: does it work with the schema that is there now?"""
    platform = attempt.platform
    if platform.database is not None:
        now = attempt.hold.read().now
        proofs.note(platform.target.ledger, slot, platform.database.schema(), works, why, now)


def _with_live_state(attempt: Attempt, plan: Plan, failure: StepFailed) -> StepFailed:
    """`failure` of a migration, with whether the live version still works."""
    if plan.live is None:
        return failure
    try:
        _smoke_live(attempt, plan)
        live = f"The live version {plan.live.describe()} passes its smoke checks."
    except GpError as broken:
        live = broken.what
    return StepFailed(failure.what, state=f"{failure.state}\n{live}".strip(), advice=failure.advice)


def _leave(
    attempt: Attempt, step: str, plan: Plan, artifact: Artifact, facts: Mapping[str, Any]
) -> None:
    reading = attempt.hold.read()
    evidence.leave(attempt.platform.target.ledger, step, plan, artifact, reading.now, facts)
