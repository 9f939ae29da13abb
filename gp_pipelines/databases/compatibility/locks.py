"""For how long the migration would keep the old version from its tables.

What was locked, read whole or rewritten was seen on the shadow, where every table is empty; how
much that is, is weighed with the live tables' sizes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import LiteralString

from gp_pipelines.databases.compatibility.catalogue import MATERIALIZED, Relation
from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.finding import Finding, Severity
from gp_pipelines.databases.compatibility.recorder import Seen
from gp_pipelines.databases.compatibility.replay import Executed
from gp_pipelines.databases.compatibility.statements import bare
from gp_pipelines.databases.connection import Session

MB = 2**20
_ALL = "AccessExclusiveLock"
_BLOCKS = {
    _ALL: "reads and writes",
    "ExclusiveLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ShareLock": "writes",
}
_NAME = r'(?P<name>(?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?)'
_WHOLE = re.compile(rf"(?i)(?P<verb>UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?{_NAME}(?P<rest>.*)")
_EMPTIES = re.compile(rf"(?i)TRUNCATE\s+(?:TABLE\s+)?(?:ONLY\s+)?{_NAME}")
_LOCKS = re.compile(
    rf"(?i)LOCK\s+(?:TABLE\s+)?(?:ONLY\s+)?{_NAME}(?:\s+IN\s+(?P<mode>[A-Z ]+?)\s+MODE)?"
)
_RESTARTS = re.compile(
    rf"(?i)ALTER\s+(?:SEQUENCE|TABLE)\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}.*\bRESTART\b"
)
_REBUILDS = re.compile(
    rf"(?i)(?:VACUUM\s+(?:\([^)]*\bFULL\b[^)]*\)|FULL(?:\s+\w+)*?)|CLUSTER(?:\s+VERBOSE)?)\s+{_NAME}"
)
_ONLINE = (
    "Build indexes CONCURRENTLY; add constraints NOT VALID and VALIDATE them in a migration of "
    "their own; add a new column instead of rewriting one."
)
_BATCHES = "Write in batches, each in a transaction of its own, outside the migration."
_SIZES: LiteralString = """
    SELECT format('%I.%I', n.nspname, c.relname),
           CASE c.relkind WHEN 'p' THEN
               (SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0)
                FROM pg_partition_tree(c.oid) t)
           ELSE pg_total_relation_size(c.oid) END::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


def table_sizes(live: Session) -> dict[str, int]:
    """Bytes of each table with its indexes, by qualified name."""
    return {str(name): int(str(size)) for name, size in live.execute(_SIZES)}


@dataclass(frozen=True, slots=True)
class Weights:
    """What the live tables weigh."""

    sizes: Mapping[str, int]
    large: int  # bytes

    def of(self, relation: Relation) -> int:
        return self.sizes.get(relation.name, 0)

    def severity(self, *relations: Relation) -> Severity:
        large = any(self.of(each) >= self.large for each in relations)
        return Severity.APPROVAL if large else Severity.NOTE

    def words(self, relation: Relation) -> str:
        return f"{relation.name} ({self.of(relation) / MB:,.0f} MB)"


@dataclass(slots=True)
class _Transaction:
    """What one transaction holds, as far as it has gone."""

    locks: frozenset[tuple[int, str]] = frozenset()
    scans: Mapping[int, int] = field(default_factory=dict)


def findings(change: Change, executed: tuple[Executed, ...], weights: Weights) -> Iterator[Finding]:
    """Tables that are new in this migration hold nobody up."""
    transactions: dict[tuple[int, str], _Transaction] = {}
    for seen in change.seen:
        transaction = transactions.setdefault(seen.transaction, _Transaction())
        if seen.moment != "ddl_command_start":
            yield from _judge(change, seen, transaction, weights)
        transaction.locks, transaction.scans = seen.locks, seen.scans
    for each in executed:
        yield from _by_text(change, each.text, weights)


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
    if seen.moment == "statement" and _WHOLE.match(bare(seen.statement)):
        for relation in read:
            if _strongest(_held(seen.locks).get(relation.oid, set())) is None:
                yield _whole(relation, seen.statement, weights)


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


def _whole(relation: Relation, statement: str, weights: Weights) -> Finding:
    return Finding(
        weights.severity(relation),
        "whole-table-written",
        relation.name,
        f"writes of the same rows wait until all that it finds in {weights.words(relation)} is "
        "written.",
        _BATCHES,
        statement,
    )


def _by_text(change: Change, text: str, weights: Weights) -> Iterator[Finding]:
    """What event triggers do not see."""
    statement = bare(text)
    if (match := _EMPTIES.match(statement)) or _deletes_all(match := _WHOLE.match(statement)):
        assert match is not None
        for relation in _named(change, match["name"], change.usage.does):
            yield Finding(
                Severity.APPROVAL,
                "table-emptied",
                relation.name,
                f"the old version's rows: nothing is left in {weights.words(relation)}.",
                "Leave the rows until no live version needs them.",
                text,
            )
    elif (match := _WHOLE.match(statement)) and not re.search(r"(?i)\bWHERE\b", match["rest"]):
        for relation in _named(change, match["name"], lambda oid: True):
            yield _whole(relation, text, weights)
    elif match := _LOCKS.match(statement):
        mode = "".join(word.title() for word in (match["mode"] or "ACCESS EXCLUSIVE").split())
        if f"{mode}Lock" in _BLOCKS:
            for relation in _named(change, match["name"], lambda oid: True):
                yield Finding(
                    weights.severity(relation),
                    "table-locked",
                    relation.name,
                    f"{_BLOCKS[f'{mode}Lock']} of {weights.words(relation)} wait until the "
                    "transaction ends.",
                    "Leave it to each statement to lock what it needs.",
                    text,
                )
    elif match := _RESTARTS.match(statement):
        for relation in _named(change, match["name"], lambda oid: True):
            yield Finding(
                Severity.APPROVAL,
                "sequence-restarted",
                relation.name,
                "INSERTs of the old version, if it gives them numbers that are taken.",
                "Let it only count further.",
                text,
            )
    elif match := _REBUILDS.match(statement):
        for relation in _named(change, match["name"], lambda oid: True):
            yield Finding(
                weights.severity(relation),
                "table-rewritten",
                relation.name,
                f"reads and writes of {weights.words(relation)} wait until it is written anew.",
                "Use VACUUM without FULL, or a tool that repacks tables online.",
                text,
            )


def _deletes_all(match: re.Match[str] | None) -> bool:
    return (
        match is not None
        and match["verb"].upper().startswith("DELETE")
        and not re.search(r"(?i)\bWHERE\b", match["rest"])
    )


def _named(change: Change, name: str, wanted: Callable[[int], bool]) -> Iterator[Relation]:
    """The old table of that name, whichever schema a search path would find it in."""
    plain = name if name.startswith('"') else name.lower()
    for relation in change.before.relations.values():
        same = plain in (relation.name, relation.name.rsplit(".", 1)[-1])
        if same and wanted(relation.oid):
            yield relation
            return


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
