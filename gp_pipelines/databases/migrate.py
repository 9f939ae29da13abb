"""Run the service's own migrate command, and know afterwards what it did."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tenacity

from gp_pipelines.commands import Command, CommandTimedOut
from gp_pipelines.databases.connection import Connector, inherited_environment
from gp_pipelines.databases.contract import Migration
from gp_pipelines.databases.migration_watch import MigrationWatch, invalid_indexes
from gp_pipelines.databases.running import RunningMigration
from gp_pipelines.databases.tracking import Tracked, Tracking
from gp_pipelines.errors import GpError, StepFailed
from gp_pipelines.model import Progress

Ended = tuple[str | None, str]  # why it failed, if it did, and the last lines of its output

LOCK_TRIES = 5
LOCK_TIMEOUT = ("lock timeout", "55P03", "LockNotAvailable")  # as drivers and servers say it


@dataclass(frozen=True, slots=True)
class MigrateCommand:
    """What is run, and what it should apply."""

    argv: list[str]
    cwd: Path
    environment: Mapping[str, str]  # the service's own, the database's URL in it
    secrets: tuple[str, ...]  # values that its output must not show
    tracking: Tracking


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
        with connector.session() as session:
            wanted = command.tracking.pending(session)
            before = command.tracking.read(session)
        if wanted is not None and not wanted:
            return Migration((), 0.0, "")
        progress(f"migrating: {', '.join(wanted or command.argv)}")
        began = time.monotonic()
        watch = MigrationWatch(connector, running.application(release_id))
        failure, tail = _run_until_unlocked(
            command, release_id, running, watch, progress, began + timeout
        )
        outcome = _outcome(command.tracking, before, connector)
        if failure is None and outcome.unread:
            failure = "The migrate command ended well, but what it applied could not be read"
        if failure is None and outcome.missing:
            failure = "The migrate command ended well, but did not apply everything"
        if failure is not None:
            raise _failed(failure, tail, outcome)
        return Migration(outcome.applied, time.monotonic() - began, tail)


def _run_until_unlocked(
    command: MigrateCommand,
    release_id: str,
    running: RunningMigration,
    watch: MigrationWatch,
    progress: Progress,
    deadline: float,
) -> Ended:
    """Again, after a pause, while all that it failed for is a lock that it was not given in time:
    whoever waits for a lock has everybody else wait behind it, so it waits briefly, and often.
    """

    def tell(state: tenacity.RetryCallState) -> None:
        pause = state.next_action.sleep if state.next_action else 0.0
        progress(
            f"migrate: a lock was not given in time; trying again in {pause:.0f} s "
            f"({state.attempt_number} of {LOCK_TRIES} tries)"
        )

    tries = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(LOCK_TRIES)
        | tenacity.stop_before_delay(deadline - time.monotonic()),
        wait=tenacity.wait_exponential(min=1, max=10),
        retry=tenacity.retry_if_result(_waited_for_a_lock),
        before_sleep=tell,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    ended: Ended = tries(
        lambda: _run(command, release_id, running, watch, progress, deadline - time.monotonic())
    )
    return ended


def _waited_for_a_lock(ended: Ended) -> bool:
    failure, tail = ended
    return failure is not None and any(words in tail for words in LOCK_TIMEOUT)


def _run(
    command: MigrateCommand,
    release_id: str,
    running: RunningMigration,
    watch: MigrationWatch,
    progress: Progress,
    timeout: float,
) -> Ended:
    """Why it failed, if it did, and the last lines of its output."""
    environment = {
        **inherited_environment(),
        **command.environment,
        **running.environment(release_id),
    }
    started: Command | None = None
    failure: str | None = None

    def still(seconds: float) -> None:
        seen = watch.describe()
        progress(f"migrate: running for {seconds:.0f} s{f'; {seen}' if seen else ''}")

    try:
        with Command(
            command.argv, environment=environment, cwd=command.cwd, secrets=command.secrets
        ) as started:
            running.record(release_id, started.pid)
            code = started.wait(
                timeout,
                lambda lines: progress(f"migrate: {lines}"),
                still,
            )
        if code != 0:
            failure = f"The migrate command failed ({_describe(code)})"
    except CommandTimedOut:
        failure = f"The migrate command did not end within {timeout:.3g} s and was ended"
    except OSError as error:
        failure = f"The migrate command {command.argv[0]} could not be run: {error.strerror}"
    finally:
        left = running.end(release_id)
    if left:
        failure = f"{failure}. {left}" if failure else left
    return failure, started.tail if started is not None else ""


def _describe(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"ended by signal {-code}"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the table says after the command."""

    applied: tuple[str, ...]  # by it
    missing: tuple[str, ...]
    unfinished: tuple[str, ...]
    unread: str  # why it could not be read, if so
    invalid: tuple[str, ...] = ()  # indexes


def _outcome(tracking: Tracking, before: Tracked, connector: Connector) -> _Outcome:
    try:
        with connector.session() as session:
            after, invalid = tracking.read(session), invalid_indexes(session)
    except GpError as error:
        return _Outcome((), (), (), error.what)
    return _Outcome(
        applied=tuple(name for name in after.applied if name not in before.applied),
        missing=after.missing,
        unfinished=after.unfinished,
        unread="",
        invalid=invalid,
    )


def _failed(why: str, tail: str, outcome: _Outcome) -> StepFailed:
    if outcome.unread:
        state = f"Which migrations are applied could not be read: {outcome.unread}"
    else:
        applied, missing = ", ".join(outcome.applied), ", ".join(outcome.missing)
        state = f"Applied by it: {applied or 'none'}. Still pending: {missing or 'none'}."
    if outcome.unfinished:
        state += f" Begun and not finished: {', '.join(outcome.unfinished)}."
    if outcome.invalid:
        names = ", ".join(outcome.invalid)
        state += f" Invalid indexes are left, which cost writes and serve nobody: {names}."
    return StepFailed(
        f"{why}. Its last lines:\n{tail}" if tail else f"{why}.",
        state=f"{state} Traffic is where it was.",
        advice="Find the cause in its output. What was applied stays, as the database only goes "
        "forward; the release of a corrected version applies the rest.",
    )
