"""Run the service's own migrate command, and know afterwards what it did."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gp_pipelines.commands import Command, CommandTimedOut
from gp_pipelines.databases.connection import Connector, inherited_environment
from gp_pipelines.databases.contract import Migration
from gp_pipelines.databases.running import RunningMigration
from gp_pipelines.databases.sqlx import Applied, MigrationFile, applied_migrations, pending
from gp_pipelines.errors import GpError, StepFailed
from gp_pipelines.model import Progress


@dataclass(frozen=True, slots=True)
class MigrateCommand:
    """What is run, and what it should apply."""

    argv: list[str]
    cwd: Path
    environment: Mapping[str, str]  # the service's own, the database's URL in it
    secrets: tuple[str, ...]  # values that its output must not show
    files: tuple[MigrationFile, ...]


def migrate(
    command: MigrateCommand,
    release_id: str,
    *,
    connector: Connector,
    running: RunningMigration,
    progress: Progress,
    timeout: float,
) -> Migration:
    """Apply what is pending.

    Raises `Refused` if a migration is running, and `StepFailed` if the command fails, does not end
    in time, or ends well without having applied everything. However it ends, also by an
    interruption, no process and no session of it is left.
    """
    with running.alone():
        before = _read(connector)
        wanted = pending(command.files, before).versions
        if not wanted:
            return Migration((), 0.0, "")
        progress(f"migrating: {', '.join(wanted)}")
        began = time.monotonic()
        failure, tail = _run(command, release_id, running, progress, timeout)
        outcome = _outcome(command.files, before, connector)
        if failure is None and outcome.unread:
            failure = "The migrate command ended well, but what it applied could not be read"
        if failure is None and outcome.missing:
            failure = "The migrate command ended well, but did not apply everything"
        if failure is not None:
            raise _failed(failure, tail, outcome)
        return Migration(outcome.applied, time.monotonic() - began, tail)


def _run(
    command: MigrateCommand,
    release_id: str,
    running: RunningMigration,
    progress: Progress,
    timeout: float,
) -> tuple[str | None, str]:
    """Why it failed, if it did, and the last lines of its output."""
    environment = {
        **inherited_environment(),
        **command.environment,
        **running.environment(release_id),
    }
    started: Command | None = None
    failure: str | None = None
    try:
        with Command(
            command.argv, environment=environment, cwd=command.cwd, secrets=command.secrets
        ) as started:
            running.record(release_id, started.pid)
            code = started.wait(
                timeout,
                lambda lines: progress(f"migrate: {lines}"),
                lambda seconds: progress(f"migrate: running for {seconds:.0f} s"),
            )
        if code != 0:
            failure = f"The migrate command failed ({_describe(code)})"
    except CommandTimedOut:
        failure = f"The migrate command did not end within {timeout:g} s and was ended"
    except OSError as error:
        failure = f"The migrate command {command.argv[0]} could not be run: {error.strerror}"
    finally:
        left = running.end(release_id)
    if left:
        failure = f"{failure}. {left}" if failure else left
    return failure, started.tail if started is not None else ""


def _describe(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"ended by signal {-code}"


def _read(connector: Connector) -> dict[int, Applied]:
    with connector.session() as session:
        return applied_migrations(session)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the table says after the command."""

    applied: tuple[str, ...]  # by it
    missing: tuple[str, ...]
    unfinished: tuple[str, ...]
    unread: str  # why it could not be read, if so


def _outcome(
    files: tuple[MigrationFile, ...], before: Mapping[int, Applied], connector: Connector
) -> _Outcome:
    try:
        after = _read(connector)
    except GpError as error:
        return _Outcome((), (), (), error.what)
    names = {row.version: row.name for row in after.values()} | {f.number: f.name for f in files}
    done = [number for number, row in after.items() if row.success]
    return _Outcome(
        applied=tuple(names[number] for number in done if number not in before),
        missing=tuple(file.name for file in files if file.number not in done),
        unfinished=tuple(names[number] for number in after if number not in done),
        unread="",
    )


def _failed(why: str, tail: str, outcome: _Outcome) -> StepFailed:
    if outcome.unread:
        state = f"Which migrations are applied could not be read: {outcome.unread}"
    else:
        applied, missing = ", ".join(outcome.applied), ", ".join(outcome.missing)
        state = f"Applied by it: {applied or 'none'}. Still pending: {missing or 'none'}."
    if outcome.unfinished:
        state += f" Begun and not finished: {', '.join(outcome.unfinished)}."
    return StepFailed(
        f"{why}. Its last lines:\n{tail}" if tail else f"{why}.",
        state=f"{state} Traffic is where it was.",
        advice="Find the cause in its output. What was applied stays, as the database only goes "
        "forward; the release of a corrected version applies the rest.",
    )
