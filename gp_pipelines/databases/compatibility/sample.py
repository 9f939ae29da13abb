"""Made-up values to try queries with, and a row of them in each table that a query needs.

Columns of one type get the same value, so that `WHERE id = $1` finds the row; but one that a
column's checks refuse is exchanged for one that they take.
"""

from collections.abc import Iterable, Mapping
from typing import LiteralString

import psycopg
from psycopg import sql

from gp_pipelines.databases.compatibility.catalogue import FOREIGN, Catalogue, Column
from gp_pipelines.databases.compatibility.check_strength import condition, deciding_values
from gp_pipelines.databases.connection import Session

_BY_TYPE = {
    "boolean": "true",
    "date": "2001-01-01",
    "timestamp without time zone": "2001-01-01",
    "timestamp with time zone": "2001-01-01",
    "time without time zone": "01:00",
    "time with time zone": "01:00",
    "interval": "1 day",
    "uuid": "00000000-0000-0000-0000-000000000001",
    "json": "{}",
    "jsonb": "{}",
    "bytea": "\\x01",
    "inet": "127.0.0.1",
    "cidr": "127.0.0.0/8",
    "macaddr": "08:00:2b:01:02:03",
    "xml": "<a/>",
    "tsvector": "a",
    "tsquery": "a",
    "point": "(1,1)",
}
_BY_CATEGORY = {"N": "1", "S": "1", "B": "true", "R": "empty"}
# What checks of text often ask for.
_TEXTS = ("x", "X", "a@b.cd", "http://a.b", "AB", "ABC", "12345", "+123456789", "2001-01-01")
_TYPES: LiteralString = """
    SELECT t.oid::bigint, b.typcategory = 'A', format_type(e.oid, NULL), e.typcategory::text,
           (SELECT enumlabel::text FROM pg_enum WHERE enumtypid = e.oid
            ORDER BY enumsortorder LIMIT 1)
    FROM pg_type t
    JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
    JOIN pg_type e ON e.oid = CASE b.typcategory WHEN 'A' THEN b.typelem ELSE b.oid END
    WHERE t.oid = ANY(%s)
"""

Values = Mapping[tuple[int, int], str | None]


def values(session: Session, types: Iterable[int]) -> dict[int, str | None]:
    """A value of each type, by its oid; None (NULL) for a type that has no obvious one."""
    found: dict[int, str | None] = {}
    for oid, is_array, name, category, label in session.execute(_TYPES, [list(set(types))]):
        one = str(label) if label is not None else _value(str(name), str(category))
        found[int(str(oid))] = f'{{"{one}"}}' if is_array and one is not None else one
    return found


def column_values(
    session: Session, catalogue: Catalogue, tables: Iterable[int], before: Catalogue
) -> Values:
    """A value for each column of `tables` and of those that they refer to.

    Columns that were not there `before` are left to their defaults, as in the rows of the old
    version, if they have one or need none.
    """
    wanted = _with_parents(catalogue, tables)
    columns = [
        each
        for each in catalogue.columns.values()
        if each.relation in wanted and not _is_left_out(each, before)
    ]
    known = values(session, (each.type_oid for each in columns))
    return {
        (each.relation, each.number): _accepted(session, catalogue, each, known.get(each.type_oid))
        for each in columns
    }


def _is_left_out(column: Column, before: Catalogue) -> bool:
    is_new = (column.relation, column.number) not in before.columns
    optional = bool(column.default or column.identity) or not column.not_null
    return is_new and optional and column.relation in before.relations


def insert_rows(session: Session, catalogue: Catalogue, given: Values) -> frozenset[int]:
    """A row of `given` values in each of their tables; which of them have one now.

    No trigger and no foreign key looks at them. A table that refuses its row is left out.
    """
    session.execute("SET LOCAL session_replication_role = replica")
    done = set()
    for table in sorted({relation for relation, _ in given}):
        relation = catalogue.relations[table]
        if not relation.is_table or relation.kind == FOREIGN:
            continue
        columns = [
            each
            for each in catalogue.columns_of(table)
            if (table, each.number) in given and not each.generated
        ]
        try:
            with session.transaction():
                if session.execute(_insert(relation.name, columns, given)).rowcount == 1:
                    done.add(table)
        except psycopg.Error:
            continue
    session.execute("SET LOCAL session_replication_role = origin")
    return frozenset(done)


def _accepted(
    session: Session, catalogue: Catalogue, column: Column, usual: str | None
) -> str | None:
    """The usual value, or the first one that the column's own checks take."""
    checks = [
        each
        for each in catalogue.constraints.values()
        if each.kind == "c"
        and (
            (each.relation, each.columns) == (column.relation, [column.number])
            or each.domain == column.type_oid
        )
    ]
    if not checks:
        return usual
    query = sql.SQL("SELECT {} FROM (SELECT %s::text::{} AS {}) s").format(
        sql.SQL(" AND ").join(
            sql.SQL("{} IS NOT FALSE").format(condition(each)) for each in checks if each.relation
        )
        if any(each.relation for each in checks)
        else sql.SQL("true"),
        sql.SQL(column.type),
        sql.SQL(column.name),
    )
    rules = " ".join(each.rule for each in checks)
    for candidate in (usual, *deciding_values(rules), *_TEXTS):
        try:
            with session.transaction():
                if session.execute(query, [candidate]).fetchone() == (True,):
                    return candidate
        except psycopg.Error:  # no value of this type
            continue
    return usual


def _with_parents(catalogue: Catalogue, tables: Iterable[int]) -> set[int]:
    found = {table for table in tables if table in catalogue.relations}
    parents = {
        each.refers
        for each in catalogue.constraints.values()
        if each.kind == "f" and each.relation in found
    }
    return found | {parent for parent in parents if parent in catalogue.relations}


def _insert(name: str, columns: list[Column], given: Values) -> sql.Composed:
    if not columns:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES").format(sql.SQL(name))
    insert: LiteralString = (
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({}) ON CONFLICT DO NOTHING"
    )
    return sql.SQL(insert).format(
        sql.SQL(name),
        sql.SQL(", ").join(sql.SQL(column.name) for column in columns),
        sql.SQL(", ").join(
            sql.Literal(given.get((column.relation, column.number))) for column in columns
        ),
    )


def _value(type_name: str, category: str) -> str | None:
    return _BY_TYPE.get(type_name, _BY_CATEGORY.get(category))
