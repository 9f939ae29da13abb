"""Whether a CHECK that takes the place of another one refuses what that one let pass.

`status IN ('a', 'b')` becomes `status IN ('a', 'b', 'c')`: a new rule, that refuses nothing. Which
values decide is written in the rules themselves; both are asked about these and their neighbours.
"""

import re

import psycopg
from psycopg import sql

from gp_pipelines.databases.compatibility.catalogue import Column, Constraint
from gp_pipelines.databases.connection import Session

LONGEST = 10_000  # of a text that is made to be as long as a rule allows
_PATTERN = re.compile(r"~|\bLIKE\b|\bSIMILAR\b")
_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")


def refuses_more(session: Session, column: Column, old: Constraint, new: Constraint) -> bool:
    """Also where it cannot be told, as with patterns."""
    if _PATTERN.search(_STRING.sub("", old.rule + new.rule)):
        return True
    values = [None, *deciding_values(old.rule + new.rule)]
    query = sql.SQL(
        "SELECT count(*), count(*) FILTER (WHERE {new} IS FALSE) FROM "
        "(SELECT v::{type} AS {name} FROM unnest(%s::text[]) v) s WHERE {old} IS NOT FALSE"
    ).format(
        new=condition(new),
        old=condition(old),
        type=sql.SQL(column.type),
        name=sql.SQL(column.name),
    )
    passed = 0
    for value in values:
        try:
            with session.transaction():
                row = session.execute(query, [[value]]).fetchone()
        except psycopg.Error:  # no value of this type
            continue
        if row is not None and row[1]:
            return True
        if value is not None and row is not None:
            passed += int(str(row[0]))
    return passed == 0


def condition(constraint: Constraint) -> sql.SQL:
    """What a CHECK demands, as an expression for a query that has parameters."""
    return sql.SQL(f"({constraint.rule.removeprefix('CHECK ').replace('%', '%%')})")


def deciding_values(rules: str) -> list[str]:
    """Values on either side of what `rules` tell apart, as text."""
    strings = [found.replace("''", "'") for found in _STRING.findall(rules)]
    numbers = [float(found) for found in _NUMBER.findall(_STRING.sub("", rules))]
    around = [_as_text(number + step) for number in numbers for step in (-1, 0, 1)]
    lengths = {int(number) + step for number in numbers for step in (-1, 0, 1)}
    texts = ["x" * length for length in lengths if 0 <= length <= LONGEST]
    # The types of literals are strings to the pattern as well; they do no harm.
    return list(dict.fromkeys([*strings, *around, *texts, "0", "1", "-1", "x", ""]))


def _as_text(number: float) -> str:
    return str(int(number)) if number.is_integer() else str(number)
