"""Tables, views and sequences that are gone, called otherwise, or no longer a part of another."""

from collections.abc import Iterator

from gp_pipelines.databases.compatibility.catalogue import (
    MATERIALIZED,
    SEQUENCE,
    VIEW,
    Catalogue,
    Relation,
)
from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.finding import Finding, Severity

_KINDS = {VIEW: "view", MATERIALIZED: "view", SEQUENCE: "sequence"}
_DROP_LATER = (
    "Release a version that does not use it, and drop it in a migration after that version's own "
    "retirement of the old one."
)
_NEW_NAME = (
    "Keep the old name until no version uses it: a view of that name over the renamed table, or "
    "the new name as a view over the old one."
)


def findings(change: Change) -> Iterator[Finding]:
    for oid, relation in change.before.relations.items():
        after = change.after.relations.get(oid)
        if after is None:
            yield from _dropped(change, relation)
        else:
            if after.name != relation.name:
                yield from _renamed(change, relation, after)
            if relation.parent and after.parent != relation.parent:
                yield _detached(change, relation, "detached")
            if after.parent and not relation.parent and after.name == relation.name:
                yield from _attached(change, after)
            elif relation.definition != after.definition:
                yield from _redefined(change, relation, after)


def _dropped(change: Change, relation: Relation) -> Iterator[Finding]:
    if relation.parent in change.after.relations:
        yield _detached(change, relation, "dropped")
    elif relation.kind == SEQUENCE and _went_with_its_table(change, relation):
        return
    else:
        yield _gone(change, relation, "dropped", _DROP_LATER)


def _renamed(change: Change, relation: Relation, after: Relation) -> Iterator[Finding]:
    if not (relation.kind == SEQUENCE and change.usage.complete):
        yield _gone(change, relation, "renamed", _NEW_NAME, f" (it is {after.name} now)")


def _gone(change: Change, relation: Relation, what: str, instead: str, more: str = "") -> Finding:
    kind = _KINDS.get(relation.kind, "table")
    replaced = change.after.named(relation.name)
    if replaced is not None:
        severity = _of_another(change, relation, replaced)
        other = _KINDS.get(replaced.kind, "table")
        breaks = f"nothing that is known: another {other} has its name now{more}."
    elif change.usage.complete and not change.usage.breaks(relation.oid, relation.name):
        severity, breaks = Severity.NOTE, f"no query of the old version{more}."
    else:
        severity, breaks = Severity.BREAKING, f"whatever uses this {kind}{more}."
    return Finding(
        severity,
        f"{kind}-{what}",
        relation.name,
        breaks,
        instead,
        change.statement(relation.oid, word=relation.name),
    )


def _of_another(change: Change, old: Relation, new: Relation) -> Severity:
    """A view may show what the table held; another table holds other rows."""
    if old.oid in change.after.relations and new.oid in change.after.ancestors(old.oid):
        return Severity.NOTE  # it is a partition of the one that has its name
    if not change.usage.complete:
        return Severity.APPROVAL
    emptied = old.is_table and new.is_table and change.usage.does(old.oid)
    return Severity.APPROVAL if emptied else Severity.NOTE


def _detached(change: Change, relation: Relation, what: str) -> Finding:
    used = change.usage.does(relation.oid) or change.usage.does(relation.parent)
    parent = change.before.relations[relation.parent].name
    return Finding(
        Severity.BREAKING if used else Severity.NOTE,
        f"partition-{what}",
        relation.name,
        f"reading its rows through {parent}, and writing such rows there.",
        "Detach it when no live version needs its rows; keep a default partition for new ones.",
        change.statement(relation.oid, relation.parent, word=relation.name),
    )


def _attached(change: Change, relation: Relation) -> Iterator[Finding]:
    if change.usage.writes(relation.oid):
        yield Finding(
            Severity.APPROVAL,
            "partition-attached",
            relation.name,
            f"writes of the old version that are outside its bound: {relation.definition}.",
            "Have the old version write to the partitioned table first.",
            change.statement(relation.oid, relation.parent, word=relation.name),
        )


def _redefined(change: Change, relation: Relation, after: Relation) -> Iterator[Finding]:
    statement = change.statement(relation.oid, word=relation.name)
    if relation.kind in (VIEW, MATERIALIZED) and change.touched(relation.oid):
        if not change.usage.does(relation.oid) or change.usage.proved([relation.oid]):
            return
        yield Finding(
            Severity.APPROVAL,
            "view-redefined",
            relation.name,
            "possibly what the old version reads from it: it is another query now.",
            "Make a new view for the new version.",
            statement,
        )
    elif relation.kind == SEQUENCE:
        yield Finding(
            Severity.APPROVAL,
            "sequence-changed",
            relation.name,
            f"possibly the old version's numbers: it counts otherwise now ({after.definition}).",
            "Let it only count further, or use another one.",
            statement,
        )


def _went_with_its_table(change: Change, sequence: Relation) -> bool:
    """Or with its column: that is a finding already."""
    return _owner_gone(change.before, change.after, sequence)


def _owner_gone(before: Catalogue, after: Catalogue, sequence: Relation) -> bool:
    name = sequence.name.rsplit(".", 1)[-1].strip('"')
    owners = [
        key for key, column in before.columns.items() if column.identity or name in column.default
    ]
    return any(key not in after.columns for key in owners)
