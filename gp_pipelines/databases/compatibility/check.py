"""The check: would the version that is live still work after these migrations?"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gp_pipelines.databases.compatibility import (
    catalogue,
    difference,
    locks,
    query_rules,
    squawk,
    text_rules,
)
from gp_pipelines.databases.compatibility.assumed import queries as assumed_queries
from gp_pipelines.databases.compatibility.catalogue import Catalogue
from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.finding import Finding, Report, Severity
from gp_pipelines.databases.compatibility.migrations import ForeignCommand, SqlFile
from gp_pipelines.databases.compatibility.old_queries import OldQueries, seen_by_server
from gp_pipelines.databases.compatibility.queries import Outcome, try_queries
from gp_pipelines.databases.compatibility.recorder import OTHER_SERVER
from gp_pipelines.databases.compatibility.replay import Failure, Replayed, replay
from gp_pipelines.databases.compatibility.running_version import running_version
from gp_pipelines.databases.compatibility.shadow import (
    APPLICATION,
    Shadow,
    read_only,
    require_role,
    shadow_of,
)
from gp_pipelines.databases.compatibility.statements import bare
from gp_pipelines.databases.compatibility.usage import Usage
from gp_pipelines.databases.compatibility.weights import MB, Weights, table_sizes
from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines.databases.verification import Scratch
from gp_pipelines.model import Progress

LARGE_TABLE_MB = 100
SECONDS = 600.0


def check(
    live: Connector,
    migrations: Sequence[SqlFile] | ForeignCommand,
    *,
    scratch: Scratch,
    tools: PgTools,
    queries: OldQueries | None = None,
    role: str | None = None,
    large_table_mb: float = LARGE_TABLE_MB,
    then: Callable[[Shadow], object] = lambda shadow: None,
    progress: Progress,
    timeout: float = SECONDS,
) -> Report:
    """Try `migrations` on a shadow of the live database, which is only read.

    `scratch` is a server with the settings of `shadow.SERVER_SETTINGS`. Without `queries`, what
    pg_stat_statements has seen on the live server is tried, and everything else that the schema
    offers is taken to be in use. `role` is the one that the live version runs as; without it, the
    one that `live` connects as. Where the migrations go through, `then` gets the migrated shadow.

    Raises `Refused` for a server of a newer version or an unknown role, `StepFailed` where the
    check itself fails, and `TargetUnavailable` if a server goes away.
    """
    deadline = time.monotonic() + timeout
    with read_only(live) as session:
        role = role or session.info.user
        require_role(session, role)
        known = queries or seen_by_server(session, role)
        weights = Weights(table_sizes(session), round(large_table_mb * MB))
        major = session.info.server_version // 10000
    with shadow_of(
        live, scratch=scratch, tools=tools, deadline=deadline, progress=progress
    ) as shadow:
        seen = _try(shadow, role, known, migrations, deadline, progress)
        found = [*shadow.notes, *_judge(shadow, role, seen, weights)]
        if seen.replayed.failure is None:
            then(shadow)
    explained = {bare(each.statement) for each in found}
    return Report.of([*found, *squawk.findings(seen.replayed.executed, explained, major)])


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that was seen on the shadow."""

    before: Catalogue
    after: Catalogue
    worked: tuple[Outcome, ...]  # before the migration
    work: tuple[Outcome, ...]  # after it
    assumed: tuple[str, ...]
    complete: bool
    in_open_sessions: Mapping[str, str]
    replayed: Replayed


def _try(
    shadow: Shadow,
    role: str,
    queries: OldQueries,
    migrations: Sequence[SqlFile] | ForeignCommand,
    deadline: float,
    progress: Progress,
) -> _Seen:
    progress(f"trying {len(queries.statements)} queries before the migration")
    with shadow.database.session(APPLICATION) as session:
        before = catalogue.read(session, role)
    assumed = () if queries.complete else assumed_queries(before, migrations)
    asked = tuple(dict.fromkeys([*queries.statements, *assumed]))
    worked = try_queries(shadow, role, asked, before)
    of_version = [each for each in worked if each.query not in assumed]
    with running_version(shadow, role, of_version) as running:
        progress("applying the migration to the shadow")
        replayed = replay(shadow, migrations, deadline=deadline, progress=progress)
        open_sessions = running.errors()
    progress("trying the queries after it")
    with shadow.database.session(APPLICATION) as session:
        after = catalogue.read(session, role)
    types = {each.query: each.types for each in worked if each.works and each.preparable}
    work = try_queries(shadow, role, asked, after, before=before, types=types)
    return _Seen(before, after, worked, work, assumed, queries.complete, open_sessions, replayed)


def _judge(shadow: Shadow, role: str, seen: _Seen, weights: Weights) -> Iterator[Finding]:
    usage = Usage(seen.before, seen.worked, seen.work, complete=seen.complete, assumed=seen.assumed)
    with shadow.database.session(APPLICATION) as session:
        change = Change(seen.before, seen.after, usage, seen.replayed.seen, session)
        yield from _failed(seen.replayed.failure)
        yield from query_rules.findings(
            change, seen.worked, seen.work, seen.in_open_sessions, seen.assumed
        )
        yield from difference.findings(change, role)
        yield from locks.findings(change, weights)
        yield from text_rules.findings(change, seen.replayed.executed, weights)


def _failed(failure: Failure | None) -> Iterator[Finding]:
    if failure is not None and OTHER_SERVER in failure.error:
        yield Finding(
            Severity.APPROVAL,
            "not-tried",
            failure.source,
            f"nothing that is known: {failure.error}. Neither it nor what follows was tried.",
            "Check it by hand, in a migration of its own.",
            failure.statement,
        )
    elif failure is not None:
        yield Finding(
            Severity.BREAKING,
            "does-not-apply",
            failure.source,
            f"the migration itself: {failure.error}",
            "Correct it; nothing of it was applied to the live database.",
            failure.statement,
        )
