"""The steps of a release after its plan, without Dagster. Each may be killed and run again.

Every step reads the fence before it changes something (`Attempt.step`, `Hold.write`), and leaves
evidence on the target when it has passed. What a step returns is small, for metadata and for the
next step.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gp_pipelines import history
from gp_pipelines.databases.contract import Backup, Pending
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.migrating import apply as migrating
from gp_pipelines.migrating.apply import Asked, Migrated
from gp_pipelines.migrating.gate import GateClosed
from gp_pipelines.model import Artifact, Plan, SlotState
from gp_pipelines.release import deployment, evidence
from gp_pipelines.release.attempt import Attempt
from gp_pipelines.release.planning import require_new, require_unrestricted
from gp_pipelines.release.versions import may_be_older
from gp_pipelines.smoke.checks import CheckResult, run_checks
from gp_pipelines.targets.contract import SlotStatus
from gp_pipelines.traffic import events, transitions
from gp_pipelines.traffic import switch as traffic_switch


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
    timeouts = platform.service.timeouts
    with attempt.step(plan, timeouts.migrate + timeouts.backup) as hold:
        pending = _pending(attempt, artifact)
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
    with attempt.step(plan, migrating.seconds(platform.service)):
        pending = _pending(attempt, artifact)
        if not pending:
            attempt.progress("nothing is pending: the database is left as it is")
            migrated = Migrated(pending)
        else:
            evidence.require(platform.target.ledger, plan, artifact, ("build", "backup"))
            migrated = _migrate(attempt, plan, artifact, pending)
        _leave(attempt, "migrate", plan, artifact, migrated.facts())
    return migrated


def _migrate(attempt: Attempt, plan: Plan, artifact: Artifact, pending: Pending) -> Migrated:
    """What the gate says stays with the release, whether it lets the migrations through or not."""
    platform = attempt.platform
    ledger, reason = platform.target.ledger, plan.accept_findings
    asked = Asked(platform, artifact, plan.release_id, plan.actor, reason)
    try:
        migrated = migrating.migrate(asked, attempt.hold, pending, attempt.progress)
    except GateClosed as closed:
        history.judged(ledger, plan.release_id, closed.report.as_object(), "")
        raise
    if migrated.judgement is not None:
        report = migrated.judgement.report
        history.judged(ledger, plan.release_id, report.as_object(), reason)
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
        migrating.note_proof(
            platform, hold, plan.slot(artifact), True, "it passed its smoke checks"
        )
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


def _pending(attempt: Attempt, artifact: Artifact) -> Pending:
    database, hold = attempt.platform.database, attempt.hold
    if database is None:
        return Pending((), ())
    found = database.pending(artifact, hold.telling(attempt.progress))
    _require_known(attempt, artifact, found)
    return found


def _require_known(attempt: Attempt, artifact: Artifact, found: Pending) -> None:
    """Raise `Refused` where migrations are applied that no newer version can have brought.

    An older version is not expected to know them: what it does with them is proved. Versions whose
    names have no order may be older than any.
    """
    released = [run["version"] for run in history.newest_first(attempt.platform.target.ledger)]
    is_newest = not any(may_be_older(artifact.version, version) for version in released)
    if found.unknown and is_newest:
        numbers = ", ".join(map(str, found.unknown))
        raise Refused(
            f"Migrations are applied that {artifact.service} {artifact.version} does not know: "
            f"{numbers}. No release of a newer version has brought them.",
            state="The database was not changed, and traffic is where it was.",
            advice="Somebody has migrated from another branch. Build the version with these "
            "migrations in it.",
        )


def _leave(
    attempt: Attempt, step: str, plan: Plan, artifact: Artifact, facts: Mapping[str, Any]
) -> None:
    reading = attempt.hold.read()
    evidence.leave(attempt.platform.target.ledger, step, plan, artifact, reading.now, facts)
