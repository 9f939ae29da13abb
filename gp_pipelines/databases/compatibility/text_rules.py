"""What event triggers do not see, by the text of the statements."""

import re
from collections.abc import Iterator

from gp_pipelines.databases.compatibility.catalogue import Relation
from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.finding import Finding, Severity
from gp_pipelines.databases.compatibility.replay import Executed
from gp_pipelines.databases.compatibility.statements import bare
from gp_pipelines.databases.compatibility.weights import Weights

BLOCKING_MODES = {
    "ACCESS EXCLUSIVE": "reads and writes",
    "EXCLUSIVE": "writes",
    "SHARE ROW EXCLUSIVE": "writes",
    "SHARE": "writes",
}
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?'
_UPDATE = re.compile(rf"(?i)UPDATE\s+(?:ONLY\s+)?(?P<name>{_NAME})(?P<rest>.*)")
_DELETE = re.compile(rf"(?i)DELETE\s+FROM\s+(?:ONLY\s+)?(?P<name>{_NAME})(?P<rest>.*)")
_TRUNCATE = re.compile(
    rf"(?i)TRUNCATE\s+(?:TABLE\s+)?(?:ONLY\s+)?(?P<names>{_NAME}(?:\s*,\s*{_NAME})*)"
)
_LOCK = re.compile(
    rf"(?i)LOCK\s+(?:TABLE\s+)?(?:ONLY\s+)?(?P<name>{_NAME})(?:\s+IN\s+(?P<mode>[A-Z ]+?)\s+MODE)?"
)
_RESTART = re.compile(
    r"(?i)ALTER\s+(?:SEQUENCE|TABLE)\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?"
    rf"(?P<name>{_NAME}).*\bRESTART\b"
)
_REBUILD = re.compile(
    r"(?i)(?:VACUUM\s+(?:\([^)]*\bFULL\b[^)]*\)|FULL(?:\s+\w+)*?)|CLUSTER(?:\s+VERBOSE)?)\s+"
    rf"(?P<name>{_NAME})"
)
_WHERE = re.compile(r"(?i)\bWHERE\b")
BATCHES = "Write in batches, each in a transaction of its own, outside the migration."


def findings(change: Change, executed: tuple[Executed, ...], weights: Weights) -> Iterator[Finding]:
    for each in executed:
        statement = bare(each.text)
        yield from _emptied(change, statement, weights)
        yield from _written_whole(change, statement, weights)
        yield from _locked(change, statement, weights)
        yield from _restarted(change, statement)
        yield from _rebuilt(change, statement, weights)


def writes(statement: str) -> bool:
    """Whether it changes rows that are there."""
    return bool(_UPDATE.match(statement) or _DELETE.match(statement))


def _emptied(change: Change, statement: str, weights: Weights) -> Iterator[Finding]:
    names: list[str] = []
    if match := _TRUNCATE.match(statement):
        names = re.findall(_NAME, match["names"])
    elif (match := _DELETE.match(statement)) and not _WHERE.search(match["rest"]):
        names = [match["name"]]
    for relation in _named(change, *names):
        if change.usage.does(relation.oid):
            yield Finding(
                Severity.APPROVAL,
                "table-emptied",
                relation.name,
                f"the old version's rows: nothing is left in {weights.words(relation)}.",
                "Leave the rows until no live version needs them.",
                statement,
            )


def _written_whole(change: Change, statement: str, weights: Weights) -> Iterator[Finding]:
    match = _UPDATE.match(statement)
    if match is not None and not _WHERE.search(match["rest"]):
        for relation in _named(change, match["name"]):
            yield written_whole(relation, statement, weights)


def written_whole(relation: Relation, statement: str, weights: Weights) -> Finding:
    """All rows of a table are written, or looked through for those that are."""
    return Finding(
        weights.severity(relation),
        "whole-table-written",
        relation.name,
        f"writes of the same rows wait until all that it finds in {weights.words(relation)} is "
        "written.",
        BATCHES,
        statement,
    )


def _locked(change: Change, statement: str, weights: Weights) -> Iterator[Finding]:
    match = _LOCK.match(statement)
    mode = " ".join((match["mode"] or "ACCESS EXCLUSIVE").upper().split()) if match else ""
    if match is None or mode not in BLOCKING_MODES:
        return
    for relation in _named(change, match["name"]):
        yield Finding(
            weights.severity(relation),
            "table-locked",
            relation.name,
            f"{BLOCKING_MODES[mode]} of {weights.words(relation)} wait until the transaction ends.",
            "Leave it to each statement to lock what it needs.",
            statement,
        )


def _restarted(change: Change, statement: str) -> Iterator[Finding]:
    match = _RESTART.match(statement)
    for relation in _named(change, match["name"]) if match else ():
        yield Finding(
            Severity.APPROVAL,
            "sequence-restarted",
            relation.name,
            "INSERTs of the old version, if it gives them numbers that are taken.",
            "Let it only count further.",
            statement,
        )


def _rebuilt(change: Change, statement: str, weights: Weights) -> Iterator[Finding]:
    match = _REBUILD.match(statement)
    for relation in _named(change, match["name"]) if match else ():
        yield Finding(
            weights.severity(relation),
            "table-rewritten",
            relation.name,
            f"reads and writes of {weights.words(relation)} wait until it is written anew.",
            "Use VACUUM without FULL, or a tool that repacks tables online.",
            statement,
        )


def _named(change: Change, *names: str) -> Iterator[Relation]:
    """The old tables and sequences of these names, whichever schema a search path would find."""
    for name in names:
        plain = name if name.startswith('"') else name.lower()
        for relation in change.before.relations.values():
            if plain in (relation.name, relation.name.rsplit(".", 1)[-1]):
                yield relation
                break
