"""Functions, types, triggers and rules: what the database does by itself when it is asked."""

import re
from collections.abc import Iterator

from gp_pipelines.databases.compatibility.catalogue import Function, Trigger, Type
from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.finding import Finding, Severity

_REFUSES = re.compile(r"(?i)\bRAISE\s+(?!(?:DEBUG|LOG|INFO|NOTICE|WARNING)\b)[\w']")
_OTHERS = {
    *("operator", "cast", "collation", "operator class", "text search configuration"),
    *("text search dictionary", "conversion", "language"),
}
_EVENTS = ("INSERT", "UPDATE", "DELETE")
_LATER = "Drop it once no version that uses it is live or can come back."
_BESIDE = "Make a new one beside it for the new version."
_OWN_WRITES = (
    "Have it change nothing that the old version sees, and refuse nothing that it writes; or do it "
    "in the new version."
)


def findings(change: Change) -> Iterator[Finding]:
    yield from _functions(change)
    yield from _types(change)
    yield from _triggers(change)
    yield from _extensions(change)
    if not change.usage.complete:
        yield from _others(change)


def _functions(change: Change) -> Iterator[Finding]:
    names = {each.name for each in change.after.functions.values()}
    for oid, function in change.before.functions.items():
        now = change.after.functions.get(oid)
        if now is None or now.name != function.name:
            if function.name not in names:
                yield _function_gone(change, function)
        elif (now.body, now.returns, now.strictness) != (
            function.body,
            function.returns,
            function.strictness,
        ):
            yield from _function_replaced(change, function)


def _function_gone(change: Change, function: Function) -> Finding:
    name = function.name.split("(", 1)[0]
    overloaded = any(each.name.split("(", 1)[0] == name for each in change.after.functions.values())
    severity = Severity.APPROVAL if overloaded else Severity.BREAKING
    if change.usage.complete:
        severity = Severity.NOTE  # a query that calls it fails, and is a finding of its own
    return Finding(
        severity,
        "function-dropped",
        function.name,
        "calls of this function, also by triggers and defaults."
        if not change.usage.complete
        else "no known query of the old version by itself: those that fail are named apart.",
        _LATER,
        change.statement(function.oid, word=name),
    )


def _function_replaced(change: Change, function: Function) -> Iterator[Finding]:
    tables = {
        each.relation for each in change.before.triggers.values() if each.function == function.oid
    }
    written = any(change.usage.does(table, *_EVENTS) for table in tables)
    if not written and not change.usage.mentions(function.name):
        return
    refuses = bool(tables) and _refuses_anew(
        function.body, change.after.functions[function.oid].body
    )
    if not refuses and change.usage.proved(tables, [function.name]):
        return
    yield Finding(
        Severity.BREAKING if refuses and written else Severity.APPROVAL,
        "function-replaced",
        function.name,
        "writes of the old version that it refuses now."
        if refuses
        else "possibly what the old version expects of it: it does something else now.",
        _BESIDE,
        change.statement(function.oid, word=function.name.split("(", 1)[0]),
    )


def _types(change: Change) -> Iterator[Finding]:
    for oid, old in change.before.types.items():
        new = change.after.types.get(oid)
        replaced = next((e for e in change.after.types.values() if e.name == old.name), None)
        if new is None or new.name != old.name:
            if not change.usage.complete and replaced is None:
                yield _type(change, old, "type-dropped", "casts to this type.", _LATER)
        elif old.kind == "e":
            gone = [value for value in old.values if value not in new.values]
            if gone:
                breaks = f"reading and writing the values {', '.join(gone)}."
                yield _type(change, old, "enum-value-removed", breaks, _LATER)
        elif old.kind == "d" and new.values[1] == "true" and old.values[1] != "true":
            breaks = "writes of NULL."
            yield _type(change, old, "domain-not-null", breaks, _OWN_WRITES)
        elif old.kind == "c" and any(each not in new.values for each in old.values):
            breaks = "reading and writing its attributes as they were."
            yield _type(change, old, "type-changed", breaks, _BESIDE)


def _type(change: Change, old: Type, rule: str, breaks: str, instead: str) -> Finding:
    tables = {each.relation for each in change.before.columns.values() if each.type_oid == old.oid}
    used = any(map(change.usage.does, tables)) or change.usage.mentions(old.name)
    return Finding(
        Severity.BREAKING if used else Severity.NOTE,
        rule,
        old.name,
        breaks,
        instead,
        change.statement(old.oid, word=old.name),
    )


def _triggers(change: Change) -> Iterator[Finding]:
    before = {(each.relation, each.definition) for each in change.before.triggers.values()}
    after = {(each.relation, each.definition) for each in change.after.triggers.values()}
    for oid, trigger in change.after.triggers.items():
        old = change.before.triggers.get(oid)
        is_new = old is None or (trigger.enabled and not old.enabled)
        known = old is None and (trigger.relation, trigger.definition) in before
        if trigger.enabled and is_new and not known and not change.is_new(trigger.relation):
            yield from _trigger_added(change, trigger)
    for oid, trigger in change.before.triggers.items():
        now = change.after.triggers.get(oid)
        if trigger.relation not in change.after.relations or not trigger.enabled:
            continue
        if (now is None and (trigger.relation, trigger.definition) not in after) or (
            now is not None and not now.enabled
        ):
            yield _trigger_gone(change, trigger)


def _trigger_added(change: Change, trigger: Trigger) -> Iterator[Finding]:
    relation = change.after.relations[trigger.relation]
    events = [each for each in _EVENTS if re.search(rf"\b{each}\b", _head(trigger))]
    if not change.usage.does(trigger.relation, *events):
        return
    refuses = bool(_REFUSES.search(trigger.body))
    instead_of = trigger.kind == "rule" and " DO INSTEAD" in trigger.definition
    if not (refuses or instead_of) and change.usage.proved([trigger.relation]):
        severity, breaks = Severity.NOTE, "nothing: the old version's writes go through it."
    elif refuses or instead_of:
        severity, breaks = (
            Severity.BREAKING,
            "writes of the old version that it refuses or diverts.",
        )
    else:
        severity, breaks = Severity.APPROVAL, "possibly old writes: it takes part in them."
    yield Finding(
        severity,
        f"{trigger.kind}-added",
        f"{relation.name}.{trigger.name}",
        breaks,
        _OWN_WRITES,
        change.statement(trigger.oid, word=trigger.name),
    )


def _trigger_gone(change: Change, trigger: Trigger) -> Finding:
    relation = change.after.relations[trigger.relation]
    written = change.usage.does(trigger.relation, *_EVENTS)
    return Finding(
        Severity.APPROVAL if written else Severity.NOTE,
        f"{trigger.kind}-dropped",
        f"{relation.name}.{trigger.name}",
        "the old version's trust in what it did on each write.",
        _LATER,
        change.statement(trigger.oid, relation.oid, word=trigger.name),
    )


def _head(trigger: Trigger) -> str:
    """What it is for: before the table's name, in a rule before it as well."""
    return trigger.definition.split(" ON " if trigger.kind == "trigger" else " TO ", 1)[0]


def _refuses_anew(old: str, new: str) -> bool:
    return len(_REFUSES.findall(new)) > len(_REFUSES.findall(old))


def _extensions(change: Change) -> Iterator[Finding]:
    for name, version in change.before.extensions.items():
        now = change.after.extensions.get(name)
        if now is None:
            yield Finding(
                Severity.APPROVAL if change.usage.complete else Severity.BREAKING,
                "extension-dropped",
                name,
                "whatever uses its functions, types and operators.",
                _LATER,
                change.statement(word=name),
            )
        elif now != version:
            yield Finding(
                Severity.NOTE,
                "extension-updated",
                name,
                f"nothing that is known: it goes from {version} to {now}.",
                "",
                change.statement(word=name),
            )


def _others(change: Change) -> Iterator[Finding]:
    """What the catalogue that is compared does not hold."""
    made = {
        oid
        for seen in change.seen
        if seen.moment == "ddl_command_end"
        for _, _, oid in seen.touched
    }
    for seen in change.seen:
        for kind, identity, oid in seen.touched:
            if seen.moment == "sql_drop" and kind in _OTHERS and oid not in made:
                yield Finding(
                    Severity.BREAKING,
                    "object-dropped",
                    f"{kind} {identity}",
                    "queries that use it.",
                    _LATER,
                    seen.statement,
                )
