"""What ends by itself, as ops: retention that ran out, and what a dead run left."""

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.cleanup import engine
from gp_pipelines.cleanup.reconcile import Reconcile
from gp_pipelines.errors import Busy, GpError, StepFailed
from gp_pipelines.failure import step_failure
from gp_pipelines.model import Holder, TrafficRecord
from gp_pipelines.traffic.fence import take
from gp_pipelines.traffic.lost_record import restore_lost_record
from gp_pipelines.wiring import Platforms

# More than the reconciler ever takes: it verifies traffic and drains slots.
RECONCILE_SECONDS = 300.0


class ServiceConfig(dg.Config):
    service: str


@dg.op
def retire_due(
    context: dg.OpExecutionContext,
    config: ServiceConfig,
    platforms: dg.ResourceParam[Platforms],
) -> None:
    """Retire every slot whose deadline has passed, after proving that nothing uses it."""
    lineage.tag_request(context, config.service)
    platform = platforms[config.service]
    try:
        cleaned = engine.cleanup(platform, _holder(context, "cleanup"), context.log.info)
        lineage.record_events(context, config.service, platform.target.ledger)
    except GpError as error:
        raise step_failure(error) from error
    context.add_output_metadata({"retired": "; ".join(cleaned.retired) or "nothing was due"})


@dg.op
def end_what_is_left(
    context: dg.OpExecutionContext,
    config: ServiceConfig,
    platforms: dg.ResourceParam[Platforms],
    reconcile: dg.ResourceParam[Reconcile],
) -> None:
    """Confirm or switch back what a dead run left unconfirmed, and remove what it left standing.

    Also brings into Dagster's history what happened to the traffic outside of it.
    """
    lineage.tag_request(context, config.service)
    platform = platforms[config.service]
    try:
        if restore_lost_record(platform.target) is not None:
            context.log.warning("the traffic record was lost, and was made again from its copy")
        hold = take(platform.target.traffic, _holder(context, "reconcile"), context.log.info)
        lineage.report_dead(context, hold.taken_from)
        try:
            with hold.step(RECONCILE_SECONDS):
                done = reconcile(hold, platform, context.log.info)
                _require_settled(hold.read().record, done)
        finally:
            hold.leave()
        lineage.record_events(context, config.service, platform.target.ledger)
    except Busy as busy:
        context.log.info(f"{busy.what} It ends by itself what it began.")
        done = []
    except GpError as error:
        raise step_failure(error) from error
    context.add_output_metadata({"done": "; ".join(done) or "nothing was left"})


def _require_settled(record: TrafficRecord, done: list[str]) -> None:
    """Traffic that could be neither confirmed nor sent back is to be seen: the run fails."""
    if not record.confirmed:
        raise StepFailed(
            f"The traffic of {record.service} could not be settled: {'; '.join(done)}",
            state=f"{record.live.describe() if record.live else 'Nothing'} is live, unconfirmed. "
            "Nothing is released or retired until that is over.",
            advice=f"See `gp status {record.service}`, and the runbook under `unconfirmed`.",
        )


def _holder(context: dg.OpExecutionContext, kind: str) -> Holder:
    run = context.run
    return Holder(run.run_id, run.run_id, kind, lineage.actor_of(run.tags))
