"""Values to try queries with, and a row of them in each table that a query needs.

The same type always gets the same value, so that `WHERE id = $1` finds the row.
"""

from collections.abc import Iterable
from typing import LiteralString

import psycopg
from psycopg import sql

from gp_pipelines.databases.compatibility.catalogue import FOREIGN, Catalogue, Column
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
_BY_CATEGORY = {"N": "1", "S": "1", "B": "true", "A": "{}", "R": "empty"}
_TYPES: LiteralString = """
    SELECT t.oid, format_type(b.oid, NULL), b.typcategory::text,
           (SELECT enumlabel FROM pg_enum WHERE enumtypid = b.oid ORDER BY enumsortorder LIMIT 1)
    FROM pg_type t JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid
    END WHERE t.oid = ANY(%s)
"""


def values(session: Session, types: Iterable[int]) -> dict[int, str | None]:
    """A value of each type, by its oid; None (NULL) for a type that has no obvious one."""
    return {
        int(str(oid)): str(label) if label is not None else _value(str(name), str(category))
        for oid, name, category, label in session.execute(_TYPES, [list(set(types))]).fetchall()
    }


def insert_rows(session: Session, catalogue: Catalogue, tables: Iterable[int]) -> frozenset[int]:
    """One row in each of `tables` and of those that they refer to; which of them have one now.

    No trigger and no foreign key looks at them. A table whose checks refuse the row is left out.
    """
    wanted = _with_parents(catalogue, tables)
    known = values(session, (column.type_oid for column in catalogue.columns.values()))
    session.execute("SET LOCAL session_replication_role = replica")
    done = set()
    for table in sorted(wanted):
        relation = catalogue.relations[table]
        if not relation.is_table or relation.kind == FOREIGN:
            continue
        columns = [each for each in catalogue.columns_of(table) if not each.generated]
        try:
            with session.transaction():
                if session.execute(_insert(relation.name, columns, known)).rowcount == 1:
                    done.add(table)
        except psycopg.Error:
            continue
    session.execute("SET LOCAL session_replication_role = origin")
    return frozenset(done)


def _with_parents(catalogue: Catalogue, tables: Iterable[int]) -> set[int]:
    found = {table for table in tables if table in catalogue.relations}
    parents = {
        each.refers
        for each in catalogue.constraints.values()
        if each.kind == "f" and each.relation in found
    }
    return found | {parent for parent in parents if parent in catalogue.relations}


def _insert(name: str, columns: list[Column], known: dict[int, str | None]) -> sql.Composed:
    if not columns:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES").format(sql.SQL(name))
    return sql.SQL(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({}) ON CONFLICT DO NOTHING"
    ).format(
        sql.SQL(name),
        sql.SQL(", ").join(sql.SQL(column.name) for column in columns),
        sql.SQL(", ").join(sql.Literal(known.get(column.type_oid)) for column in columns),
    )


def _value(type_name: str, category: str) -> str | None:
    return _BY_TYPE.get(type_name, _BY_CATEGORY.get(category))
