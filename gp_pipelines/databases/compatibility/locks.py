"""For how long the migration would keep the old version from its tables.

What was locked, read whole or rewritten was seen on the shadow, where every table is empty; how
much that is, is weighed with the live tables' sizes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gp_pipelines.databases.compatibility.catalogue import MATERIALIZED, Relation
from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.finding import Finding, Severity
from gp_pipelines.databases.compatibility.recorder import Seen
from gp_pipelines.databases.compatibility.statements import bare
from gp_pipelines.databases.compatibility.text_rules import writes, written_whole
from gp_pipelines.databases.compatibility.weights import Weights

_ALL = "AccessExclusiveLock"
_BLOCKS = {
    _ALL: "reads and writes",
    "ExclusiveLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ShareLock": "writes",
}
_ONLINE = (
    "Build indexes CONCURRENTLY; add constraints NOT VALID and VALIDATE them in a migration of "
    "their own; add a new column instead of rewriting one."
)


@dataclass(slots=True)
class _Transaction:
    """What one transaction holds, as far as it has gone."""

    locks: frozenset[tuple[int, str]] = frozenset()
    scans: Mapping[int, int] = field(default_factory=dict)


def findings(change: Change, weights: Weights) -> Iterator[Finding]:
    """Tables that are new in this migration hold nobody up."""
    transactions: dict[tuple[int, str], _Transaction] = {}
    for seen in change.seen:
        transaction = transactions.setdefault(seen.transaction, _Transaction())
        if seen.moment != "ddl_command_start":
            yield from _judge(change, seen, transaction, weights)
        transaction.locks, transaction.scans = seen.locks, seen.scans


def _judge(change: Change, seen: Seen, before: _Transaction, weights: Weights) -> Iterator[Finding]:
    old = change.before.relations
    read = [
        old[table]
        for table, count in seen.scans.items()
        if table in old
        and count > before.scans.get(table, 0)
        and not _only_referred_to(change, table, seen)
    ]
    if seen.rewritten is not None and seen.rewritten in old:
        yield _rewritten(old[seen.rewritten], seen, weights)
        read.append(old[seen.rewritten])
    for table, modes in _held(seen.locks).items():
        mode = _strongest(modes)
        if table not in old or mode is None or not _matters(old[table], mode):
            continue
        if read and seen.rewritten != table:
            yield _long(old[table], mode, read, seen, weights)
        elif not read and (table, mode) not in before.locks:
            yield _brief(old[table], mode, seen, weights)
    if seen.moment == "statement" and writes(bare(seen.statement)):
        for relation in read:
            if _strongest(_held(seen.locks).get(relation.oid, set())) is None:
                yield written_whole(relation, bare(seen.statement), weights)


def _only_referred_to(change: Change, table: int, seen: Seen) -> bool:
    """A new foreign key is looked up there: by its index, unless as many rows refer to it."""
    return any(
        each.kind == "f" and each.refers == table != each.relation
        for oid, each in change.after.constraints.items()
        if oid not in change.before.constraints
        and (each.relation, "ShareRowExclusiveLock") in seen.locks
    )


def _rewritten(relation: Relation, seen: Seen, weights: Weights) -> Finding:
    return Finding(
        weights.severity(relation),
        "table-rewritten",
        relation.name,
        f"reads and writes of {weights.words(relation)} wait until all of it is written anew.",
        _ONLINE,
        seen.statement,
    )


def _long(
    relation: Relation, mode: str, read: list[Relation], seen: Seen, weights: Weights
) -> Finding:
    return Finding(
        weights.severity(*read),
        "lock-held-while-reading",
        relation.name,
        f"{_BLOCKS[mode]} of {relation.name} wait while {_words(read, weights)} is read whole.",
        _ONLINE,
        seen.statement,
    )


def _brief(relation: Relation, mode: str, seen: Seen, weights: Weights) -> Finding:
    return Finding(
        Severity.NOTE,
        "lock",
        relation.name,
        f"{_BLOCKS[mode]} of {weights.words(relation)} wait, for a moment once it has the lock; "
        "it gets that when the transactions that use the table have ended.",
        "A lock_timeout keeps it from holding others up meanwhile.",
        seen.statement,
    )


def _held(locks: frozenset[tuple[int, str]]) -> dict[int, set[str]]:
    held: dict[int, set[str]] = {}
    for table, mode in locks:
        held.setdefault(table, set()).add(mode)
    return held


def _strongest(modes: set[str]) -> str | None:
    """The one that blocks most; none that blocks nothing but changes of the schema."""
    return next((mode for mode in _BLOCKS if mode in modes), None)


def _matters(relation: Relation, mode: str) -> bool:
    """Nobody writes a materialized view but REFRESH."""
    return relation.kind != MATERIALIZED or mode == _ALL


def _words(relations: list[Relation], weights: Weights) -> str:
    return ", ".join(sorted({weights.words(each) for each in relations}))
