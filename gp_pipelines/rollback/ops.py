"""The steps of a rollback as ops: ask the engine, show what it found, tell Dagster's history."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.errors import GpError
from gp_pipelines.failure import step_failure
from gp_pipelines.rollback import engine, tables
from gp_pipelines.rollback.assessment import Already, Assessment
from gp_pipelines.rollback.attempt import RollbackAttempt
from gp_pipelines.rollback.config import AlertConfig
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines.rollback.request import AlertSeen, RollbackRequest
from gp_pipelines.rollback.resource import Rollbacks

# Draining what a preempted release had started, and what else a dead run left.
RECONCILE_SECONDS = 300.0


class AssessConfig(dg.Config):
    """The launchpad, as the first op gets it."""

    service: str
    release_id: str = ""
    reason: str = ""
    alert: AlertConfig | None = None


@dg.op(out={"go": dg.Out(Assessment, is_required=False)})
def assess(
    context: dg.OpExecutionContext,
    config: AssessConfig,
    rollbacks: dg.ResourceParam[Rollbacks],
) -> Iterator[dg.Output[Assessment]]:
    """Read the target: what is live, what is there to go back to, is it warm. Take the fence.

    Ends here, as `already`, if the release to undo is not live any more.
    """
    lineage.tag_request(context, config.service)
    attempt = rollbacks.begin(config.service, _request(context, config), context.log.info)
    with _step(context, attempt):
        found = attempt.begin()
    if isinstance(found, Already):
        context.log.info(f"already: {found.why}")
        context.log_event(
            dg.AssetObservation(
                lineage.live_asset(config.service),
                description=f"already: {found.why}",
                metadata=tables.already_metadata(found),
            )
        )
        return
    lineage.tag_rollback(context, found.release_id, found.back_to)
    yield dg.Output(found, "go", metadata=tables.assessment_metadata(found, attempt.preempted))


@dg.op
def restore_previous(
    context: dg.OpExecutionContext, found: Assessment, rollbacks: dg.ResourceParam[Rollbacks]
) -> Assessment:
    """Bring the old version up, where it is not warm; prove it, where nobody has."""
    attempt = rollbacks.present(context.log.info)
    with _step(context, attempt):
        status = engine.restore_previous(attempt, found)
    context.add_output_metadata(tables.restored_metadata(status))
    return found


@dg.op(out={"found": dg.Out(Assessment), "done": dg.Out(RolledBack)})
def switch_back(
    context: dg.OpExecutionContext, found: Assessment, rollbacks: dg.ResourceParam[Rollbacks]
) -> tuple[Assessment, RolledBack]:
    """Send traffic to the old version by compare-and-swap, and verify it; never back again."""
    attempt = rollbacks.present(context.log.info)
    with _step(context, attempt):
        done = engine.switch_back(attempt, found)
    context.add_output_metadata(tables.switched_metadata(done), output_name="done")
    return found, done


@dg.op
def quarantine(
    context: dg.OpExecutionContext,
    found: Assessment,
    done: RolledBack,
    rollbacks: dg.ResourceParam[Rollbacks],
) -> RolledBack:
    """What was undone may not be released again until a person lifts that; its fix may, at once."""
    attempt = rollbacks.present(context.log.info)
    with _step(context, attempt):
        engine.quarantine(attempt, found, done)
        lineage.end_preempted(context, attempt.preempted)
    logs = attempt.platform.target.slots.logs(found.undone.name)
    context.add_output_metadata(tables.undone_metadata(found.undone, logs))
    return done


@dg.op
def record(
    context: dg.OpExecutionContext,
    found: Assessment,
    done: RolledBack,
    rollbacks: dg.ResourceParam[Rollbacks],
) -> None:
    """Bring it into Dagster's history, with links; then end what a preempted run left."""
    attempt = rollbacks.present(context.log.info)
    platform = attempt.platform
    with _step(context, attempt):
        lineage.record_events(context, found.service, platform.target.ledger)
        lineage.link_rollback(context, found.release_id)
        engine.conclude(attempt, found, done)
        with attempt.hold.step(RECONCILE_SECONDS):
            left = rollbacks.reconcile(attempt.hold, platform, context.log.info)
    context.add_output_metadata(tables.record_metadata(attempt, found, done, left))


@contextmanager
def _step(context: dg.OpExecutionContext, attempt: RollbackAttempt) -> Iterator[None]:
    try:
        yield
    except GpError as error:
        attempt.failed(error)
        raise step_failure(error) from error


def _request(context: dg.OpExecutionContext, config: AssessConfig) -> RollbackRequest:
    """A re-executed run undoes what its first run was to undo, and nothing newer."""
    release_id = config.release_id or lineage.release_of(context.run.tags)
    alert = AlertSeen(**config.alert.model_dump()) if config.alert else None
    return RollbackRequest(release_id, config.reason, alert)
