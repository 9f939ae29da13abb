"""What the old version's role may no longer do, and which rows it no longer sees."""

from collections.abc import Iterator

from gp_pipelines.databases.compatibility.catalogue import Catalogue, Grant, Relation
from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.finding import Finding, Severity

_KEEP = "Revoke it once no live version runs as that role."
_OPEN_POLICY = (
    "Give the role that the old version runs as a policy that permits what it does, in the same "
    "migration."
)


def findings(change: Change, role: str) -> Iterator[Finding]:
    for grant in change.before.grants - change.after.grants:
        yield from _lost(change, role, grant)
    yield from _others_lost(change, role)
    yield from _schemas(change)
    for old, new in change.kept():
        yield from _row_security(change, role, old, new)
        if old.owner != new.owner:
            yield Finding(
                Severity.NOTE,
                "owner-changed",
                new.name,
                f"nothing by itself; it belongs to {new.owner} now, and no longer to {old.owner}.",
                "Grant the old version's role what it needs in the same migration.",
                change.statement(new.oid, word=new.name),
            )


def _lost(change: Change, role: str, grant: Grant) -> Iterator[Finding]:
    name = _name(change.after, grant)
    if name is None or grant.privilege in ("TRUNCATE", "REFERENCES", "CREATE"):
        return  # it is gone altogether, or it is nothing that queries need
    if _has_more_now(change, grant):
        return
    yield Finding(
        _severity(change, grant),
        "grant-revoked",
        name,
        f"what {role} does with it: it has {grant.privilege} no longer.",
        _KEEP,
        change.statement(grant.oid, word=name),
    )


def _severity(change: Change, grant: Grant) -> Severity:
    """Where all queries are known, those that fail for want of it are findings of their own."""
    used = not change.usage.complete or grant.kind == "database"
    if grant.kind == "sequence":
        # nextval() asks for it when it is called, which explaining a query does not show.
        used = grant.privilege == "USAGE" and _fills_an_insert(change, grant.oid)
    return Severity.BREAKING if used else Severity.NOTE


def _fills_an_insert(change: Change, sequence: int) -> bool:
    name = change.before.relations[sequence].name.rsplit(".", 1)[-1].strip('"')
    tables = {each.relation for each in change.before.columns.values() if name in each.default}
    return any(change.usage.does(table, "INSERT") for table in tables)


def _has_more_now(change: Change, grant: Grant) -> bool:
    """A column's privilege that has become the whole table's."""
    return (
        grant.kind == "column"
        and Grant("relation", grant.oid, 0, grant.privilege) in change.after.grants
    )


def _others_lost(change: Change, role: str) -> Iterator[Finding]:
    for lost in change.before.acl - change.after.acl:
        relation = change.after.relations.get(lost.oid)
        if relation is not None and lost.grantee not in (role, ""):
            yield Finding(
                Severity.NOTE,
                "grant-revoked-of-another",
                relation.name,
                f"nothing of the old version; but {lost.grantee} has {lost.privilege} no longer.",
                "",
                change.statement(lost.oid, word=relation.name),
            )


def _schemas(change: Change) -> Iterator[Finding]:
    for oid, schema in change.before.schemas.items():
        now = change.after.schemas.get(oid)
        if now is None or now.name != schema.name:
            yield Finding(
                Severity.NOTE if change.usage.complete else Severity.BREAKING,
                "schema-dropped" if now is None else "schema-renamed",
                schema.name,
                "whatever names this schema, or has it in its search path.",
                "Keep it until no live version uses it.",
                change.statement(oid, word=schema.name),
            )


def _row_security(change: Change, role: str, old: Relation, new: Relation) -> Iterator[Finding]:
    was, now = _applies(change.before, role, old), _applies(change.after, role, new)
    if was == now and (not now or _policies(change.before, old) == _policies(change.after, new)):
        return
    if not change.usage.does(new.oid):
        return
    if now and any(
        each.open for each in change.after.policies.values() if each.relation == new.oid
    ):
        severity, breaks = Severity.NOTE, "nothing: a policy permits everything."
    elif now and not _policies(change.after, new):
        severity, breaks = Severity.BREAKING, f"all that {role} does: no policy permits it a row."
    elif now:
        severity, breaks = Severity.APPROVAL, f"possibly what {role} sees and writes of its rows."
    else:
        severity, breaks = Severity.APPROVAL, f"possibly trust in it: {role} sees all rows now."
    yield Finding(
        severity,
        "row-security-changed",
        new.name,
        breaks,
        _OPEN_POLICY,
        change.statement(new.oid, word=new.name),
    )


def _applies(catalogue: Catalogue, role: str, relation: Relation) -> bool:
    """Whether policies decide which rows `role` sees."""
    exempt = relation.owner == role and not relation.forced
    return relation.row_security and not exempt and role not in catalogue.exempt


def _is_open(catalogue: Catalogue, relation: Relation) -> bool:
    """Whether a policy permits everything, and none takes that back."""
    found = [each for each in catalogue.policies.values() if each.relation == relation.oid]
    restrictive = any(each.definition.startswith("restrictive") for each in found)
    return any(each.open for each in found) and not restrictive


def _policies(catalogue: Catalogue, relation: Relation) -> frozenset[tuple[str, str]]:
    return frozenset(
        (each.command, each.definition)
        for each in catalogue.policies.values()
        if each.relation == relation.oid
    )


def _name(catalogue: Catalogue, grant: Grant) -> str | None:
    if grant.kind == "database":
        return "the database"
    if grant.kind == "schema":
        schema = catalogue.schemas.get(grant.oid)
        return schema.name if schema else None
    if grant.kind == "function":
        function = catalogue.functions.get(grant.oid)
        return function.name if function else None
    relation = catalogue.relations.get(grant.oid)
    column = catalogue.columns.get((grant.oid, grant.number))
    if relation is None or (grant.kind == "column" and column is None):
        return None
    return f"{relation.name}.{column.name}" if column else relation.name
