"""squawk's rules over the statements of a migration: advice, where trying has shown nothing.

What the shadow has shown is known better: a rule says that a dropped column *may* break clients,
and takes a table of ten rows for a large one. So its findings are notes, and of a statement that
has a finding already it adds none.
"""

import json
import subprocess
import sysconfig
from collections.abc import Collection, Iterator
from pathlib import Path

from gp_pipelines.databases.compatibility.finding import Finding, Severity
from gp_pipelines.databases.compatibility.replay import Executed
from gp_pipelines.databases.compatibility.statements import bare
from gp_pipelines.errors import StepFailed

SECONDS = 30
BREAKS = {
    *("ban-drop-column", "ban-drop-table", "ban-drop-database", "ban-drop-trigger"),
    *("renaming-column", "renaming-table", "changing-column-type", "adding-required-field"),
    *("ban-set-schema", "ban-drop-not-null", "ban-truncate-cascade", "ban-set-default"),
    *("ban-new-write-restriction", "ban-revoke", "ban-replace-view-function"),
    "ban-alter-row-level-security",
}
LOCKS = {
    *("require-concurrent-index-creation", "require-concurrent-index-deletion"),
    *("require-concurrent-reindex", "constraint-missing-not-valid"),
    *("adding-foreign-key-constraint", "adding-not-nullable-field", "adding-field-with-default"),
    *("adding-serial-primary-key-field", "disallowed-unique-constraint"),
    *("ban-concurrent-index-creation-in-transaction", "transaction-nesting"),
}
# Of the whole migration: said once, and the pipeline sets both when it migrates.
TIMEOUTS = {"require-lock-timeout", "require-statement-timeout"}


def findings(
    executed: tuple[Executed, ...], explained: Collection[str], major: int
) -> Iterator[Finding]:
    """`explained` are the statements that have findings, without comments; `major` is the live
    server's version.

    Raises `StepFailed` if squawk cannot be run.
    """
    missing: dict[str, Finding] = {}
    for in_transaction in (True, False):
        statements = [each.text for each in executed if each.in_transaction is in_transaction]
        for rule, message, statement in _run(statements, in_transaction, major):
            if rule in TIMEOUTS:
                missing.setdefault(rule, _timeout(rule, statement))
            elif rule in BREAKS | LOCKS and bare(statement) not in explained:
                kind = "the old version" if rule in BREAKS else "locks"
                yield Finding(Severity.NOTE, rule, kind, _sentence(message), "", statement)
    yield from missing.values()


def _run(statements: list[str], in_transaction: bool, major: int) -> Iterator[tuple[str, str, str]]:
    """Rule, message and statement of each finding of squawk's."""
    if not statements:
        return
    argv = [
        *(str(Path(sysconfig.get_path("scripts")) / "squawk"), "--reporter", "json"),
        *("--pg-version", str(major), "--stdin-filepath", "migration.sql"),
        *(("--assume-in-transaction",) if in_transaction else ()),
    ]
    script = ";\n".join(statements) + ";\n"
    try:
        done = subprocess.run(argv, input=script, capture_output=True, text=True, timeout=SECONDS)
        found = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise StepFailed(f"squawk, which checks migrations, cannot be run: {error}") from None
    owners = [each for each in statements for _ in range(each.count("\n") + 1)]
    for each in found:
        if each["line"] < len(owners):
            yield each["rule_name"], each["message"], owners[each["line"]]


def _timeout(rule: str, statement: str) -> Finding:
    return Finding(
        Severity.NOTE,
        rule,
        "the migration",
        "nothing; it sets no such timeout itself. The pipeline sets one when it migrates.",
        "",
        statement,
    )


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:]
