"""Promoting a release that waits: everything is checked afresh before it may take traffic."""

from gp_pipelines import history
from gp_pipelines.errors import Refused
from gp_pipelines.model import Artifact, MovedBy, Plan
from gp_pipelines.platform import Platform
from gp_pipelines.release import evidence
from gp_pipelines.release.attempt import Attempt
from gp_pipelines.release.planning import require_unrestricted
from gp_pipelines.smoke.checks import run_checks
from gp_pipelines.traffic.fence import require_no_edits
from gp_pipelines.traffic.retire import retire


def waiting_release(platform: Platform) -> str:
    """The id of the release that waits. Raises `Refused` if none does."""
    record = platform.target.traffic.read().record
    if record.waiting is None:
        ended = ""
        if record.moved_by is MovedBy.ROLLBACK and record.mover is not None:
            ended = f" The last {record.mover.describe()} ended every reservation."
        raise Refused(
            f"No release of {record.service} waits to be promoted.{ended}",
            state="Nothing was changed.",
            advice=f"Start one: `gp release {record.service} VERSION --manual`.",
        )
    return record.waiting.release_id


def plan_promotion(attempt: Attempt) -> tuple[Plan, Artifact]:
    """Take the fence again and prove that the waiting slot is still what was proved.

    Raises `Refused` when the live version, the configuration, the schema or the artifact is no
    longer what the release was proved with, `StepFailed` when its smoke checks fail now.
    """
    platform = attempt.platform
    service, target = platform.service, platform.target
    target.require_up()
    require_no_edits(target.traffic.read())
    hold = attempt.begin()
    record = hold.read().record
    slot = record.waiting
    if slot is None or slot.release_id != attempt.run.release_id:
        raise Refused(
            f"Release {attempt.run.release_id} of {service.name} waits no longer.",
            state="Nothing was changed.",
            advice=f"See `gp status {service.name}`.",
        )
    if slot.config_hash != service.config_hash:
        raise _outdated(
            f"services.yaml has changed {service.name}'s configuration since", service.name
        )
    artifact = platform.artifacts.stored(slot.version)
    if artifact is None or artifact.digest != slot.digest:
        raise _outdated(f"the stored artifact of {slot.version} is another one now", service.name)
    if platform.database is not None and platform.database.pending(artifact, attempt.progress):
        raise _outdated(f"migrations of {slot.version} are pending again", service.name)
    plan = Plan(
        service=service.name,
        release_id=slot.release_id,
        number=slot.number,
        version=slot.version,
        config_hash=slot.config_hash,
        color=slot.color,
        replicas=slot.replicas,
        live=record.live,
        manual=True,
        redeploy=True,
        actor=attempt.run.actor,
    )
    require_unrestricted(attempt, plan, artifact)
    evidence.require(target.ledger, plan, artifact, evidence.BEFORE_SWITCH)
    preview = target.entrance.preview_url(slot.color)
    run_checks(preview, service.smoke, slot.version, service.timeouts.smoke, attempt.progress)
    return plan, artifact


def reject(attempt: Attempt, reason: str) -> str:
    """Remove the waiting slot. Returns what was rejected, in words."""
    platform = attempt.platform
    hold = attempt.begin()
    slot = hold.read().record.waiting
    if slot is None:
        raise Refused(
            f"No release of {platform.service.name} waits to be promoted.",
            state="Nothing was changed.",
        )
    drain = platform.service.timeouts.drain
    retire(hold, platform.target, slot, drain, f"rejected: {reason}", attempt.progress)
    history.ended(platform.target.ledger, slot.release_id, "rejected", reason)
    attempt.settle()
    return slot.describe()


def _outdated(why: str, service: str) -> Refused:
    return Refused(
        f"The waiting release was proved with something else: {why}.",
        state="Nothing was changed; it still waits.",
        advice=f"`gp reject {service}`, then release it again.",
    )
