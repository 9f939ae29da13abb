"""Apply the migrations to the shadow, and know all that was executed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.pq import TransactionStatus

from gp_pipelines.commands import Command, CommandTimedOut
from gp_pipelines.databases.compatibility import recorder
from gp_pipelines.databases.compatibility.capture import Capture
from gp_pipelines.databases.compatibility.migrations import ForeignCommand, SqlFile
from gp_pipelines.databases.compatibility.queries import message
from gp_pipelines.databases.compatibility.recorder import Seen
from gp_pipelines.databases.compatibility.shadow import APPLICATION, DATABASE, Shadow
from gp_pipelines.databases.compatibility.statements import split
from gp_pipelines.databases.connection import Connector, inherited_environment
from gp_pipelines.errors import redact
from gp_pipelines.model import Progress

OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


@dataclass(frozen=True, slots=True)
class Executed:
    """A statement of the migration."""

    text: str
    source: str  # the file, or the command
    in_transaction: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the migration does not go through."""

    source: str
    statement: str  # empty: not one of its own
    error: str


@dataclass(frozen=True, slots=True)
class Replayed:
    executed: tuple[Executed, ...]
    seen: tuple[Seen, ...]
    failure: Failure | None


def replay(
    shadow: Shadow,
    migrations: Sequence[SqlFile] | ForeignCommand,
    *,
    deadline: float,
    progress: Progress,
) -> Replayed:
    """As the role that migrates the live database. The first failure ends it, and is told."""
    with shadow.database.session(APPLICATION) as session:
        recorder.install(session)
        with Capture(shadow) as capture:
            if isinstance(migrations, ForeignCommand):
                failure = _run(shadow, migrations, deadline, progress)
                executed = tuple(
                    Executed(sent.text, migrations.argv[0], sent.in_transaction)
                    for sent in capture.top_level()
                )
            else:
                executed, failure = _apply(shadow.as_role(shadow.role), migrations, deadline)
            nested = tuple(Executed(text, "", True) for text in capture.nested())
        recorder.stop(session)
        return Replayed((*executed, *nested), recorder.seen(session), failure)


def _apply(
    connector: Connector, files: Sequence[SqlFile], deadline: float
) -> tuple[tuple[Executed, ...], Failure | None]:
    executed: list[Executed] = []
    with connector.session(APPLICATION) as connection:
        left = max(1, round(1000 * (deadline - time.monotonic())))
        connection.execute("SELECT set_config('statement_timeout', %s, false)", [str(left)])
        for file in files:
            statements = split(file.text)
            begin, commit = (("BEGIN",), ("COMMIT",)) if file.in_transaction else ((), ())
            for statement in (*begin, *statements, *commit):
                try:
                    connection.execute(statement.encode())
                    if connection.info.transaction_status == TransactionStatus.INTRANS:
                        connection.execute(recorder.OBSERVE, [statement])
                except psycopg.Error as error:
                    return tuple(executed), Failure(file.name, statement, message(error))
                if statement not in (*begin, *commit):
                    executed.append(Executed(statement, file.name, file.in_transaction))
            if connection.info.transaction_status in OPEN:
                return tuple(executed), Failure(file.name, "", "it leaves a transaction open")
    return tuple(executed), None


def _run(
    shadow: Shadow, command: ForeignCommand, deadline: float, progress: Progress
) -> Failure | None:
    connector = shadow.as_role(shadow.role)
    environment = {
        **inherited_environment(),
        **command.environment,
        command.variable: shadow.uri(shadow.role),
    }
    secrets = (*command.secrets, *connector.secrets())
    timeout = min(command.timeout, max(1.0, deadline - time.monotonic()))
    try:
        with Command(
            command.argv, environment=environment, cwd=command.cwd, secrets=secrets
        ) as started:
            code = started.wait(
                timeout,
                lambda lines: progress(f"migrate on the shadow: {lines}"),
                lambda seconds: progress(f"migrate on the shadow: running for {seconds:.0f} s"),
            )
    except CommandTimedOut:
        return Failure(command.argv[0], "", f"it did not end within {timeout:.0f} s")
    except OSError as error:
        return Failure(command.argv[0], "", f"it cannot be run: {error.strerror}")
    finally:
        _end_sessions(shadow)
    if code != 0:
        return Failure(
            command.argv[0], "", redact(f"exit code {code}; its last lines:\n{started.tail}")
        )
    return None


def _end_sessions(shadow: Shadow) -> None:
    """A process that got away must change nothing more, and hold no lock."""
    with shadow.server.session(APPLICATION) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = %s AND application_name <> %s",
            [DATABASE, APPLICATION],
        )
