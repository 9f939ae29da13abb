"""The steps of a release as ops. Thin: each asks the engine and shows what it found.

They hand each other the plan and the artifact, which are small; everything else is read from the
target afresh, so that a run may be gone on with from any of its steps.
"""

from collections.abc import Iterator

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.errors import GpError
from gp_pipelines.failure import step_failure
from gp_pipelines.migrating import tables as database_tables
from gp_pipelines.model import Artifact, Plan
from gp_pipelines.platform import Platform
from gp_pipelines.release import engine, promotion, tables
from gp_pipelines.release.planning import ReleaseRequest
from gp_pipelines.release.planning import plan as decide
from gp_pipelines.release.resource import Attempts
from gp_pipelines.release.step import step_of, undone_on_failure


class PlanConfig(dg.Config):
    """What was asked for in the launchpad, as the first op gets it."""

    service: str
    version: str
    redeploy: bool
    allow_downgrade: bool
    manual: bool
    replace_previous: bool
    accept_findings: str


class PromotionConfig(dg.Config):
    service: str


@dg.op
def plan(
    context: dg.OpExecutionContext, config: PlanConfig, attempts: dg.ResourceParam[Attempts]
) -> Plan:
    """Read the target, take the fence, choose the idle color; refuse what must not be released.

    Refuses when another release is at work, drifted, waiting for promotion or unconfirmed, when
    the version is older than the live one or live already. Nothing is changed by a refusal.
    """
    lineage.tag_request(context, config.service, config.version)
    attempt = attempts.of(config.service, context.job_name, context.log.info)
    request = ReleaseRequest(
        version=config.version,
        redeploy=config.redeploy,
        allow_downgrade=config.allow_downgrade,
        manual=config.manual,
        replace_previous=config.replace_previous,
        accept_findings=config.accept_findings,
    )
    with undone_on_failure(context, attempt):
        decided = decide(attempt, request)
    lineage.tag_plan(context, decided)
    context.add_output_metadata(tables.plan_metadata(decided))
    return decided


@dg.op
def build(
    context: dg.OpExecutionContext, plan: Plan, attempts: dg.ResourceParam[Attempts]
) -> Artifact:
    """Build the version's artifact, or take the stored one, and pin its digest."""
    with step_of(context, attempts, plan) as attempt:
        artifact = engine.build(attempt, plan)
    context.add_output_metadata(tables.artifact_metadata(artifact))
    return artifact


@dg.op
def backup(
    context: dg.OpExecutionContext,
    plan: Plan,
    artifact: Artifact,
    attempts: dg.ResourceParam[Attempts],
) -> Artifact:
    """With pending migrations: back the database up, and prove it by restoring it elsewhere."""
    with step_of(context, attempts, plan) as attempt:
        made = engine.backup(attempt, plan, artifact)
    context.add_output_metadata(database_tables.backup_metadata(made))
    return artifact


@dg.op
def migrate(
    context: dg.OpExecutionContext,
    plan: Plan,
    artifact: Artifact,
    attempts: dg.ResourceParam[Attempts],
) -> Artifact:
    """Try the migrations on a shadow of the database, and only then apply them.

    What would break the version that is live stops the release, unless `accept_findings` says why
    not. Then the service's own migrate command is run, and the live version smoked on the new
    schema.
    """
    with step_of(context, attempts, plan) as attempt:
        done = engine.migrate(attempt, plan, artifact)
    context.add_output_metadata(database_tables.migrate_metadata(done))
    return artifact


@dg.op
def deploy_inactive(
    context: dg.OpExecutionContext,
    plan: Plan,
    artifact: Artifact,
    attempts: dg.ResourceParam[Attempts],
) -> Artifact:
    """Bring the new version up on the idle color, at no less than the live capacity.

    First retires what the idle color still holds: from here to the switch a rollback is cold.
    """
    with step_of(context, attempts, plan) as attempt:
        status = engine.deploy_inactive(attempt, plan, artifact)
    context.add_output_metadata(tables.slot_metadata(status, _preview(attempt.platform, plan)))
    return artifact


@dg.op(out={"proved": dg.Out(Artifact, is_required=False)})
def smoke(
    context: dg.OpExecutionContext,
    plan: Plan,
    artifact: Artifact,
    attempts: dg.ResourceParam[Attempts],
) -> Iterator[dg.Output[Artifact]]:
    """Check the preview of the new version: status, body, version, latency.

    With `promotion: manual` the release ends here, and its slot waits for the job `promote`.
    """
    with step_of(context, attempts, plan) as attempt:
        results = engine.smoke(attempt, plan, artifact)
        if plan.manual:
            engine.reserve(attempt, plan, artifact)
    shown = tables.smoke_metadata(results, _preview(attempt.platform, plan))
    if plan.manual:
        context.log_event(
            dg.AssetObservation(
                lineage.live_asset(plan.service),
                description=f"{plan.version} (#{plan.number}) waits to be promoted",
                metadata=shown,
            )
        )
        return
    yield dg.Output(artifact, "proved", metadata=shown)


@dg.op
def switch(
    context: dg.OpExecutionContext,
    plan: Plan,
    artifact: Artifact,
    attempts: dg.ResourceParam[Attempts],
) -> Plan:
    """Move the traffic by compare-and-swap, verify it through the real entrance, confirm it.

    Until it is confirmed, any failure sends the traffic back to the old color.
    """
    with step_of(context, attempts, plan) as attempt:
        done = engine.switch(attempt, plan, artifact)
    context.add_output_metadata(tables.switch_metadata(done))
    return plan


@dg.op
def schedule_cleanup(
    context: dg.OpExecutionContext, plan: Plan, attempts: dg.ResourceParam[Attempts]
) -> None:
    """Check and show the deadline of the old slot, which the switch stored with the traffic.

    The job `cleanup` retires the slot when it has passed; until then a rollback is warm.
    """
    with step_of(context, attempts, plan) as attempt:
        deadline = engine.schedule_cleanup(attempt, plan)
    context.add_output_metadata(tables.deadline_metadata(deadline))


@dg.op(out={"plan": dg.Out(Plan), "artifact": dg.Out(Artifact)})
def plan_promotion(
    context: dg.OpExecutionContext, config: PromotionConfig, attempts: dg.ResourceParam[Attempts]
) -> tuple[Plan, Artifact]:
    """Take the fence again for the release that waits, and prove afresh that it may go live.

    Checks its configuration, its artifact, the schema, its evidence, its replicas and its smoke
    checks as they are now.
    """
    service = config.service
    try:
        release_id = promotion.waiting_release(attempts.platforms[service])
    except GpError as error:
        raise step_failure(error) from error
    attempt = attempts.of(service, context.job_name, context.log.info, release_id)
    with undone_on_failure(context, attempt):
        decided, artifact = promotion.plan_promotion(attempt)
    lineage.tag_request(context, service, decided.version, decided.release_id)
    lineage.tag_plan(context, decided)
    context.add_output_metadata(tables.plan_metadata(decided, artifact), output_name="plan")
    return decided, artifact


def _preview(platform: Platform, plan: Plan) -> str:
    return platform.target.entrance.preview_url(plan.color)
