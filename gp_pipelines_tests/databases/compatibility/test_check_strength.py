"""Whether one CHECK lets through all that another one did."""

import psycopg
import pytest

from gp_pipelines.databases.compatibility.catalogue import Column, Constraint
from gp_pipelines.databases.compatibility.check_strength import refuses_more


def check(rule: str) -> Constraint:
    return Constraint(1, 1, 0, "c", "c", f"CHECK ({rule})", True, [1], 0, 0)


@pytest.mark.parametrize(
    ("type_name", "old", "new", "more"),
    [
        ("text", "a IN ('x', 'y')", "a IN ('x', 'y', 'z')", False),
        ("text", "a IN ('x', 'y')", "a IN ('x', 'z')", True),
        ("integer", "a > 0", "a >= 0", False),
        ("integer", "a >= 0", "a > 0", True),
        ("integer", "a BETWEEN 1 AND 5", "a BETWEEN 1 AND 10", False),
        ("integer", "a BETWEEN 1 AND 10", "a BETWEEN 1 AND 5", True),
        ("numeric", "a < 10.5", "a < 10.25", True),
        ("text", "length(a) < 10", "length(a) < 100", False),
        ("text", "length(a) < 100", "length(a) < 10", True),
        ("text", "a <> ''", "a IS NOT NULL AND a <> ''", True),
        ("text", "a ~ '^[0-9]+$'", "a ~ '^[0-9]{4}$'", True),
        ("jsonb", "jsonb_typeof(a) = 'object'", "a ? 'id'", True),
    ],
)
def test_what_the_new_one_refuses(
    production: str, type_name: str, old: str, new: str, more: bool
) -> None:
    column = Column(1, 1, "a", type_name, 0, False, "", False, "", "")
    with psycopg.connect(production, autocommit=True) as session:
        assert refuses_more(session, column, check(old), check(new)) is more
