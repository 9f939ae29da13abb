"""What differs in the catalogue after a migration, judged for the version that does not know it."""

from collections.abc import Iterator

from gp_pipelines.databases.compatibility import (
    access_rules,
    column_rules,
    constraint_rules,
    program_rules,
    table_rules,
)
from gp_pipelines.databases.compatibility.change import Change
from gp_pipelines.databases.compatibility.finding import Finding


def findings(change: Change, role: str) -> Iterator[Finding]:
    """`role` is whom the old version runs as. What is only added is no finding."""
    yield from table_rules.findings(change)
    yield from column_rules.findings(change)
    yield from constraint_rules.findings(change)
    yield from program_rules.findings(change)
    yield from access_rules.findings(change, role)
