"""The old version's queries that worked before the migration, and do not work after it."""

from collections.abc import Collection, Mapping, Sequence

from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.finding import Finding, Severity
from gp_pipelines.databases.compatibility.queries import Outcome
from gp_pipelines.databases.compatibility.statements import bare

SHOWN = 160
_EXPAND = (
    "Add what the new version needs beside what the old one uses, and take that away once no old "
    "version is live or can come back."
)
_COLUMNS_BY_NAME = (
    "Have the version name the columns that it reads, release that first, and migrate then."
)


def findings(
    change: Change,
    before: Sequence[Outcome],
    after: Sequence[Outcome],
    in_open_sessions: Mapping[str, str],
    assumed: Collection[str],
) -> list[Finding]:
    """`in_open_sessions` has the errors of sessions that prepared a query before.

    Of queries that are only `assumed` it counts what happens when they are executed: what they name
    is for others to judge, as they name everything.
    """
    now = {each.query: each for each in after}
    found = (
        _when_executed(change, each, now[each.query])
        if each.query in assumed
        else _judge(change, each, now[each.query], in_open_sessions.get(each.query, ""))
        for each in before
        if each.works
    )
    unknown = (_untried(each) for each in before if not each.works and change.usage.complete)
    return [each for each in (*found, *unknown) if each is not None]


def _judge(change: Change, old: Outcome, new: Outcome, open_session: str) -> Finding | None:
    if not new.works:
        return _broken(change, old, "query-fails", f"this query: {new.error}.", _EXPAND)
    if open_session:
        breaks = f"this query in sessions that have prepared it: {open_session}."
        return _broken(change, old, "query-fails-in-open-sessions", breaks, _COLUMNS_BY_NAME)
    return _when_executed(change, old, new)


def _when_executed(change: Change, old: Outcome, new: Outcome) -> Finding | None:
    if old.tried is None or new.tried is None or old.tried.error or new.tried.inconclusive:
        return None
    if new.tried.error:
        breaks = f"this query, when it is executed: {new.tried.error}."
        return _broken(change, old, "query-fails-when-executed", breaks, _EXPAND)
    if old.tried.seeded == new.tried.seeded and new.tried.rows < old.tried.rows:
        breaks = "this query: it no longer finds or writes the rows that it did before."
        return _broken(change, old, "query-without-effect", breaks, _EXPAND)
    return None


def _broken(change: Change, query: Outcome, rule: str, breaks: str, instead: str) -> Finding:
    return Finding(
        Severity.BREAKING,
        rule,
        _shown(query.query),
        breaks,
        instead,
        change.statement(*query.operations),
    )


def _untried(query: Outcome) -> Finding:
    return Finding(
        Severity.NOTE,
        "query-not-tried",
        _shown(query.query),
        f"nothing that is known: it does not work before the migration either ({query.error}).",
        "See that the list of queries, the role and its search path are the live version's.",
    )


def _shown(query: str) -> str:
    line = bare(query)
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
