"""What ends by itself, as ops: retention that ran out, and what a dead run left."""

from typing import Any

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.cleanup import contraction, engine
from gp_pipelines.cleanup.contraction import Contracted
from gp_pipelines.cleanup.reconcile import Reconcile
from gp_pipelines.errors import Busy, GpError, StepFailed
from gp_pipelines.failure import step_failure
from gp_pipelines.migrating.gate import GateClosed
from gp_pipelines.migrating.tables import backup_metadata, migrate_metadata, report_metadata
from gp_pipelines.model import Holder, TrafficRecord
from gp_pipelines.traffic.fence import take
from gp_pipelines.traffic.lost_record import restore_lost_record
from gp_pipelines.wiring import Platforms

# More than the reconciler ever takes: it verifies traffic and drains slots.
RECONCILE_SECONDS = 300.0


class ServiceConfig(dg.Config):
    service: str


class ContractConfig(dg.Config):
    service: str
    accept_findings: str


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


@dg.op(ins={"retired": dg.In(dg.Nothing)})
def contract_when_due(
    context: dg.OpExecutionContext,
    config: ServiceConfig,
    platforms: dg.ResourceParam[Platforms],
) -> None:
    """Where services.yaml wants it: take away what only the retired version used.

    Never where the gate has findings: these are shown, and a person decides (`contract`).
    """
    platform = platforms[config.service]
    try:
        if not contraction.is_due(platform, platform.target.traffic.read().record):
            context.add_output_metadata({"contract phase": "nothing to do by itself"})
            return
        done = contraction.contract(platform, _holder(context, "contract"), "", context.log.info)
        lineage.record_events(context, config.service, platform.target.ledger)
    except GateClosed as closed:
        context.log.warning(str(closed))
        context.add_output_metadata(
            {"contract phase": "waits for a person", **report_metadata(closed.report)}
        )
        return
    except GpError as error:
        raise step_failure(error) from error
    context.add_output_metadata(_contracted(done))


@dg.op
def contract_schema(
    context: dg.OpExecutionContext,
    config: ContractConfig,
    platforms: dg.ResourceParam[Platforms],
) -> None:
    """Back up, judge, take away what only older versions used, smoke the live version on it."""
    lineage.tag_request(context, config.service)
    platform = platforms[config.service]
    try:
        done = contraction.contract(
            platform,
            _holder(context, "contract"),
            config.accept_findings.strip(),
            context.log.info,
        )
        lineage.record_events(context, config.service, platform.target.ledger)
    except GateClosed as closed:
        raise step_failure(closed, report_metadata(closed.report)) from closed
    except GpError as error:
        raise step_failure(error) from error
    context.add_output_metadata(_contracted(done))


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


def _contracted(done: Contracted) -> dict[str, Any]:
    if done.migrated is None:
        return {"contract phase": f"{done.live.describe()} brings nothing"}
    return {**backup_metadata(done.backup), **migrate_metadata(done.migrated)}


def _holder(context: dg.OpExecutionContext, kind: str) -> Holder:
    run = context.run
    return Holder(run.run_id, run.run_id, kind, lineage.actor_of(run.tags))
