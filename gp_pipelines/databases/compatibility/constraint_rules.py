"""New rules for what may be written, which the old version does not know; and ones it relied on."""

from collections.abc import Iterator

from gp_pipelines.databases.compatibility.catalogue import Constraint, Index
from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.check_strength import refuses_more
from gp_pipelines.databases.compatibility.finding import Finding, Severity

_KINDS = {"c": "check", "f": "foreign-key", "p": "primary-key", "u": "unique", "x": "exclusion"}
_LATER = (
    "Have the new version keep the rule first; add the constraint (NOT VALID, then VALIDATE) once "
    "no version is live or can come back that does not."
)


def findings(change: Change) -> Iterator[Finding]:
    before = {
        (each.relation, each.domain, each.rule) for each in change.before.constraints.values()
    }
    for constraint in change.after.constraints.values():
        is_known = (constraint.relation, constraint.domain, constraint.rule) in before
        if constraint.oid not in change.before.constraints and not is_known:
            yield from _new(change, constraint)
    named = {each.index for each in change.after.constraints.values()}
    for index in change.after.indexes.values():
        if not index.valid and index.oid not in change.before.indexes:
            yield _invalid(change, index)
        if index.oid not in change.before.indexes and index.unique and index.oid not in named:
            yield from _new_unique_index(change, index)
    yield from _dropped(change)
    yield from _dropped_indexes(change)


def _demand(constraint: Constraint) -> tuple[int, int, str]:
    return constraint.relation, constraint.domain, constraint.rule


def _new(change: Change, constraint: Constraint) -> Iterator[Finding]:
    if constraint.domain:
        yield from _domain(change, constraint)
    elif constraint.kind == "f":
        yield from _foreign_key(change, constraint)
    elif change.is_new(constraint.relation):
        return
    elif constraint.kind == "c":
        if not (
            _says_what_held(change, constraint)
            or _default_satisfies(change, constraint)
            or _is_weaker_than_before(change, constraint)
        ):
            yield _restricts(change, constraint)
    elif constraint.kind in ("p", "u"):
        nulls = _nulls_are_equal(change, constraint.index)
        if _may_collide(change, constraint.relation, constraint.columns, nulls):
            yield _restricts(change, constraint)
    else:
        yield _restricts(change, constraint)


def _restricts(change: Change, constraint: Constraint) -> Finding:
    return _finding(
        change,
        constraint,
        Severity.BREAKING if _writes_there(change, constraint) else Severity.NOTE,
        f"writes of the old version that do not keep it: {constraint.rule}.",
        _LATER,
    )


def _writes_there(change: Change, constraint: Constraint) -> bool:
    """Whether the old version decides what is in the constraint's columns.

    What it leaves to their defaults was tried with its queries; but two rows with the same default
    may be one too many.
    """
    if constraint.kind in ("u", "p", "x"):
        return change.usage.writes(constraint.relation)
    known = [change.before.columns.get((constraint.relation, each)) for each in constraint.columns]
    return change.usage.writes(constraint.relation) and (
        not known
        or not change.usage.writes_tried(constraint.relation)
        or any(each is not None and change.usage.gives(each.relation, each) for each in known)
    )


def _is_weaker_than_before(change: Change, constraint: Constraint) -> bool:
    """It takes the place of another one of the same column, and refuses no more than that."""
    if len(constraint.columns) != 1:
        return False
    column = change.after.columns[constraint.relation, constraint.columns[0]]
    return any(
        not refuses_more(change.shadow, column, each, constraint)
        for oid, each in change.before.constraints.items()
        if each.kind == "c"
        and (each.relation, each.columns) == (constraint.relation, constraint.columns)
        and oid not in change.after.constraints
    )


def _foreign_key(change: Change, constraint: Constraint) -> Iterator[Finding]:
    same = _same_reference(change, constraint)
    if same is not None:
        if _deletes_along(same) and not _deletes_along(constraint):
            deletes = change.usage.does(constraint.refers, "DELETE")
            yield _finding(
                change,
                constraint,
                Severity.BREAKING if deletes else Severity.NOTE,
                "deletions of the old version, which relies on what refers to a row going with it.",
                "Keep the old behaviour until no live version relies on it.",
            )
        return
    new_here = change.is_new(constraint.relation) or _only_new_columns(change, constraint)
    if not new_here:
        yield _restricts(change, constraint)
    elif (
        not change.is_new(constraint.refers)
        and not _deletes_along(constraint)
        and change.usage.complete
        and change.usage.does(constraint.refers, "DELETE")
    ):
        yield _finding(
            change,
            constraint,
            Severity.NOTE,
            "the old version's deletion of rows that the new version refers to.",
            "Let the reference be set to NULL, or go with the row, on deletion.",
        )


def _domain(change: Change, constraint: Constraint) -> Iterator[Finding]:
    if constraint.domain not in change.before.types:
        return
    tables = {
        each.relation
        for each in change.before.columns.values()
        if each.type_oid == constraint.domain
    }
    written = any(change.usage.writes(table) for table in tables)
    yield Finding(
        Severity.BREAKING if written else Severity.NOTE,
        "domain-check-added",
        change.before.types[constraint.domain].name,
        f"writes of the old version that do not keep it: {constraint.rule}.",
        _LATER,
        change.statement(constraint.domain, word=constraint.name),
    )


def _new_unique_index(change: Change, index: Index) -> Iterator[Finding]:
    if change.is_new(index.relation):
        return
    if not _may_collide(change, index.relation, index.columns, index.nulls_are_equal):
        return
    yield Finding(
        Severity.BREAKING if change.usage.writes(index.relation) else Severity.NOTE,
        "unique-index-added",
        index.name,
        f"writes of the old version that do not keep it: {index.definition}.",
        _LATER,
        change.statement(index.oid, word=index.name),
    )


def _may_collide(change: Change, relation: int, columns: list[int], nulls_are_equal: bool) -> bool:
    """Whether two rows that the old version writes may be the same in these columns."""
    if any(
        each.unique
        and each.valid
        and set(each.columns) <= set(columns)
        and "WHERE" not in each.definition
        and 0 not in each.columns
        for each in change.before.indexes.values()
        if each.relation == relation
    ):
        return False  # as was demanded before
    unknown = [
        change.after.columns[relation, number]
        for number in columns
        if number in change.new_columns(relation)
    ]
    # A column that the old version does not know gets its default: NULL, which is equal to
    # nothing, or another value each time.
    different = any(
        each.identity
        or (each.default and each.volatile and not each.default.lower().startswith("now("))
        or not (each.default or each.generated or nulls_are_equal)
        for each in unknown
    )
    return not different


def _dropped(change: Change) -> Iterator[Finding]:
    now = {(each.relation, each.rule) for each in change.after.constraints.values()}
    for constraint in change.before.constraints.values():
        gone = constraint.oid not in change.after.constraints
        if not gone or constraint.relation not in change.after.relations:
            continue
        if (constraint.relation, constraint.rule) in now or _column_gone(change, constraint):
            continue
        if constraint.kind in ("p", "u") and not _still_unique(change, constraint):
            yield _finding(
                change,
                constraint,
                Severity.NOTE if change.usage.complete else Severity.APPROVAL,
                "INSERT … ON CONFLICT on these columns, and trust in their being unique.",
                "Keep it until no live version relies on it.",
                "dropped",
            )
        elif constraint.kind == "f" and _deletes_along(constraint):
            if _same_reference_after(change, constraint):
                continue
            deletes = change.usage.does(constraint.refers, "DELETE")
            yield _finding(
                change,
                constraint,
                Severity.APPROVAL if deletes else Severity.NOTE,
                "deletions of the old version: what refers to a row no longer goes with it.",
                "Keep it until no live version relies on it.",
                "dropped",
            )


def _dropped_indexes(change: Change) -> Iterator[Finding]:
    of_constraints = {each.index for each in change.before.constraints.values()}
    shapes = {each.definition.split(" USING ", 1)[-1] for each in change.after.indexes.values()}
    for index in change.before.indexes.values():
        if index.oid in change.after.indexes or index.oid in of_constraints:
            continue
        if index.relation not in change.after.relations:
            continue
        if index.definition.split(" USING ", 1)[-1] in shapes:
            continue
        if any(
            (index.relation, each) not in change.after.columns for each in index.columns if each
        ):
            continue
        yield Finding(
            Severity.APPROVAL if index.unique and not change.usage.complete else Severity.NOTE,
            "index-dropped",
            index.name,
            "nothing but the speed of queries that used it."
            if not index.unique
            else "INSERT … ON CONFLICT on its columns, and trust in their being unique.",
            "See in pg_stat_user_indexes that nothing uses it, and drop it CONCURRENTLY.",
            change.statement(index.oid, word=index.name),
        )


def _invalid(change: Change, index: Index) -> Finding:
    return Finding(
        Severity.APPROVAL,
        "index-invalid",
        index.name,
        "nothing, but no query uses it either: building it failed.",
        "Drop it and build it again.",
        change.statement(index.oid, word=index.name),
    )


def _finding(
    change: Change,
    constraint: Constraint,
    severity: Severity,
    breaks: str,
    instead: str,
    what: str = "added",
) -> Finding:
    relation = change.after.relations[constraint.relation]
    return Finding(
        severity,
        f"{_KINDS[constraint.kind]}-{what}",
        f"{relation.name}.{constraint.name}",
        breaks,
        instead,
        change.statement(constraint.oid, relation.oid, word=constraint.name),
    )


def _only_new_columns(change: Change, constraint: Constraint) -> bool:
    new = change.new_columns(constraint.relation)
    return bool(constraint.columns) and set(constraint.columns) <= new


def _default_satisfies(change: Change, constraint: Constraint) -> bool:
    """A check of columns that the old version does not write: their default, or NULL, passes it.

    But for a column without default that must not be NULL.
    """
    return _only_new_columns(change, constraint) and not (
        "IS NOT NULL" in constraint.rule
        and any(
            not (column.default or column.generated)
            for number in constraint.columns
            if (column := change.column(constraint.relation, number)) is not None
        )
    )


def _says_what_held(change: Change, constraint: Constraint) -> bool:
    return any(
        constraint.rule == f"CHECK (({column.name} IS NOT NULL))" and column.not_null
        for number in constraint.columns
        if (column := change.before.columns.get((constraint.relation, number))) is not None
    )


def _same_reference(change: Change, constraint: Constraint) -> Constraint | None:
    return next(
        (
            each
            for each in change.before.constraints.values()
            if each.kind == "f"
            and (each.relation, each.columns, each.refers)
            == (constraint.relation, constraint.columns, constraint.refers)
        ),
        None,
    )


def _same_reference_after(change: Change, constraint: Constraint) -> bool:
    return any(
        each.kind == "f"
        and (each.relation, each.columns, each.refers)
        == (constraint.relation, constraint.columns, constraint.refers)
        for each in change.after.constraints.values()
    )


def _deletes_along(constraint: Constraint) -> bool:
    """Deleting what is referred to is possible: the rows that refer to it follow."""
    return "ON DELETE CASCADE" in constraint.rule or "ON DELETE SET" in constraint.rule


def _nulls_are_equal(change: Change, index: int) -> bool:
    found = change.after.indexes.get(index)
    return found is not None and found.nulls_are_equal


def _still_unique(change: Change, constraint: Constraint) -> bool:
    return any(
        each.unique
        and each.relation == constraint.relation
        and set(each.columns) == set(constraint.columns)
        for each in change.after.indexes.values()
    )


def _column_gone(change: Change, constraint: Constraint) -> bool:
    return any(
        (constraint.relation, number) not in change.after.columns for number in constraint.columns
    )
