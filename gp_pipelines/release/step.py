"""What each op of a release has in common: the run's attempt, and how an expected error ends it."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.errors import FenceLost, GpError, outcome_of
from gp_pipelines.failure import step_failure
from gp_pipelines.model import Plan
from gp_pipelines.release.attempt import Attempt
from gp_pipelines.release.resource import Attempts
from gp_pipelines.release.tables import failure_metadata


@contextmanager
def step_of(context: dg.OpExecutionContext, attempts: Attempts, plan: Plan) -> Iterator[Attempt]:
    """The run's attempt at the planned release, for one op.

    An expected error undoes what the release has begun, and is raised as a `dagster.Failure` that
    says so. What happened to the traffic is in Dagster's history afterwards, either way.
    """
    attempt = attempts.of(plan.service, context.job_name, context.log.info, plan.release_id)
    with undone_on_failure(context, attempt):
        yield attempt


@contextmanager
def undone_on_failure(context: dg.OpExecutionContext, attempt: Attempt) -> Iterator[None]:
    """As `step_of`, where there is no plan yet."""
    try:
        yield
    except FenceLost as lost:  # whoever has the fence now undoes, and records
        attempt.failure = lost
        raise step_failure(lost) from lost
    except GpError as error:
        attempt.failure = error
        details = failure_metadata(error, attempt.last_words())
        attempt.abandon(error.what, outcome_of(error))
        _tell_dagster(context, attempt)
        raise step_failure(error, details) from error
    _tell_dagster(context, attempt)


def _tell_dagster(context: dg.OpExecutionContext, attempt: Attempt) -> None:
    lineage.report_dead(context, attempt.taken_from)
    lineage.record_events(context, attempt.platform.service.name, attempt.platform.target.ledger)
