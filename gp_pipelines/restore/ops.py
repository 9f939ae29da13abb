"""The steps of a restore as ops: ask the engine, show what it found, tell Dagster's history."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.errors import FenceLost, GpError
from gp_pipelines.failure import step_failure
from gp_pipelines.restore import choice as choosing
from gp_pipelines.restore import engine, tables
from gp_pipelines.restore.attempt import RestoreAttempt
from gp_pipelines.restore.choice import Choice, Listed
from gp_pipelines.restore.request import RestoreRequest
from gp_pipelines.restore.resource import Restores


class ChooseConfig(dg.Config):
    """The launchpad, as the first op gets it."""

    service: str
    backup: str = ""
    version: str = ""
    operator: str = ""
    reason: str = ""
    confirm: str = ""


@dg.op
def choose(
    context: dg.OpExecutionContext, config: ChooseConfig, restores: dg.ResourceParam[Restores]
) -> Choice:
    """List the backups with what each would lose, and find the one that was asked for.

    Without an id the run ends here. Nothing is changed.
    """
    lineage.tag_request(context, config.service, config.version or None)
    request = RestoreRequest(
        config.backup, config.version, config.operator, config.reason, config.confirm
    )
    platform = restores.platforms[config.service]
    attempt = restores.begin(config.service, request, context.log.info)
    listed: tuple[Listed, ...] = ()
    try:
        reading = platform.target.traffic.read()
        listed = choosing.list_backups(platform, reading.now)
        choice = choosing.choose(platform, request, listed, reading.record)
    except GpError as error:
        attempt.failure = error
        raise step_failure(error, tables.backups_metadata(listed)) from error
    context.add_output_metadata(tables.choice_metadata(choice, listed))
    return choice


@dg.op
def confirm(
    context: dg.OpExecutionContext, choice: Choice, restores: dg.ResourceParam[Restores]
) -> Choice:
    """Ask for the operator's name, reason and typed confirmation; take the fence.

    From here on the service is `restoring`: alerts launch nothing, and nothing is released.
    """
    attempt = restores.present(context.log.info)
    with _step(context, attempt):
        begun = attempt.begin(choice)
        lineage.report_dead(context, attempt.taken_from)
    context.add_output_metadata(tables.begun_metadata(begun))
    return choice


@dg.op
def restore_data(
    context: dg.OpExecutionContext, choice: Choice, restores: dg.ResourceParam[Restores]
) -> Choice:
    """Make the old database read-only, end its sessions, restore into a new one beside it."""
    attempt = restores.present(context.log.info)
    with _step(context, attempt):
        done = engine.restore(attempt, choice)
    context.add_output_metadata(tables.restored_metadata(done))
    return choice


@dg.op
def verify(
    context: dg.OpExecutionContext, choice: Choice, restores: dg.ResourceParam[Restores]
) -> Choice:
    """Bring the version up with the restored data on the idle color, and smoke its preview."""
    attempt = restores.present(context.log.info)
    with _step(context, attempt):
        results = engine.verify(attempt, choice)
    context.add_output_metadata(tables.verified_metadata(results))
    return choice


@dg.op
def repoint(
    context: dg.OpExecutionContext, choice: Choice, restores: dg.ResourceParam[Restores]
) -> Choice:
    """Send the traffic to it, and retire whatever works with the old database, which is kept.

    From its first write on the restore is finished, by whoever comes next, and never undone.
    """
    attempt = restores.present(context.log.info)
    with _step(context, attempt):
        done = engine.repoint(attempt, choice)
        lineage.record_events(context, choice.service, attempt.platform.target.ledger)
    context.add_output_metadata(tables.repointed_metadata(done))
    return choice


@contextmanager
def _step(context: dg.OpExecutionContext, attempt: RestoreAttempt) -> Iterator[None]:
    """An expected error ends what the restore has begun: users are to write again at once."""
    try:
        yield
    except FenceLost as lost:  # whoever has the fence now ends it
        attempt.failure = lost
        raise step_failure(lost) from lost
    except GpError as error:
        attempt.failure = error
        details = _last_words(attempt)
        attempt.abandon(error.what)
        lineage.record_events(
            context, attempt.platform.service.name, attempt.platform.target.ledger
        )
        raise step_failure(error, details) from error


def _last_words(attempt: RestoreAttempt) -> Mapping[str, Any]:
    return tables.logs_metadata(attempt.last_words())
