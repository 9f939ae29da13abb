"""What a database's catalogue says, as far as a program that uses it can tell the difference.

Objects are known by their oid, which a rename leaves as it is. Extensions' own objects are left
out: they come and go with their extension.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from psycopg import sql
from psycopg.rows import class_row

from gp_pipelines.databases.compatibility.recorder import SCHEMA
from gp_pipelines.databases.connection import Session

TABLE, PARTITIONED, VIEW, MATERIALIZED, FOREIGN, SEQUENCE = "r", "p", "v", "m", "f", "S"
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or sequence."""

    oid: int
    name: str  # qualified, as SQL writes it
    kind: str
    owner: str
    row_security: bool
    forced: bool  # for its owner too
    parent: int  # of a partition or a child; 0: none
    definition: str  # of a view its query, of a sequence its options, of a partition its bound

    @property
    def is_table(self) -> bool:
        return self.kind in (TABLE, PARTITIONED, FOREIGN)


@dataclass(frozen=True, slots=True)
class Column:
    relation: int
    number: int
    name: str
    type: str
    type_oid: int
    not_null: bool
    default: str  # an expression; empty: none
    volatile: bool  # the default may be another one each time
    identity: str  # a: always, d: by default
    generated: str  # s (stored) or v (virtual) and its expression


@dataclass(frozen=True, slots=True)
class Constraint:
    oid: int
    relation: int  # 0: of a domain
    domain: int
    name: str
    kind: str  # c check, f foreign key, p primary key, u unique, x exclude, n not null
    definition: str
    valid: bool
    columns: list[int]
    refers: int  # to a table
    index: int

    @property
    def rule(self) -> str:
        """What it demands: the same however it is called, and whether it is validated or not."""
        return self.definition.removesuffix(" NOT VALID")


@dataclass(frozen=True, slots=True)
class Index:
    oid: int
    relation: int
    name: str
    definition: str
    unique: bool
    valid: bool
    columns: list[int]  # 0: an expression
    nulls_are_equal: bool


@dataclass(frozen=True, slots=True)
class Function:
    oid: int
    name: str  # with its arguments' types
    returns: str
    body: str
    arguments: str  # with names and defaults
    strictness: str  # volatility, strict, security: what else changes what a call does


@dataclass(frozen=True, slots=True)
class Type:
    """An enum, a domain or a composite type."""

    oid: int
    name: str
    kind: str  # e, d, c
    values: list[str]  # an enum's labels, a domain's type and NOT NULL, a composite's columns


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger or a rule."""

    oid: int
    relation: int
    name: str
    kind: str  # trigger, rule
    definition: str
    enabled: bool
    function: int
    body: str


@dataclass(frozen=True, slots=True)
class Policy:
    oid: int
    relation: int
    name: str
    command: str
    definition: str
    open: bool  # permits everybody everything


@dataclass(frozen=True, slots=True)
class Schema:
    oid: int
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a role may do, by whatever way it may: as owner, by membership, as everybody."""

    kind: str  # relation, column, sequence, function, schema, database
    oid: int
    number: int  # of a column
    privilege: str


@dataclass(frozen=True, slots=True)
class Acl:
    """What was granted, to whom."""

    kind: str
    oid: int
    grantee: str
    privilege: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    schemas: Mapping[int, Schema]
    relations: Mapping[int, Relation]
    columns: Mapping[tuple[int, int], Column]
    constraints: Mapping[int, Constraint]
    indexes: Mapping[int, Index]
    functions: Mapping[int, Function]
    types: Mapping[int, Type]
    triggers: Mapping[int, Trigger]
    policies: Mapping[int, Policy]
    extensions: Mapping[str, str]  # version by name
    grants: frozenset[Grant]  # of the role that the old version runs as
    acl: frozenset[Acl]
    exempt: frozenset[str]  # roles that no policy holds

    def named(self, name: str) -> Relation | None:
        """The relation of that qualified name."""
        return next((each for each in self.relations.values() if each.name == name), None)

    def columns_of(self, relation: int) -> tuple[Column, ...]:
        return tuple(each for each in self.columns.values() if each.relation == relation)

    def ancestors(self, relation: int) -> tuple[int, ...]:
        """The tables that a partition is part of, nearest first."""
        found: list[int] = []
        while (parent := self.relations[relation].parent) and parent in self.relations:
            found.append(parent)
            relation = parent
        return tuple(found)


def read(session: Session, role: str) -> Catalogue:
    """Of the database of `session`; `role` is whom the grants are of."""
    columns = _rows(session, Column, _COLUMNS)
    return Catalogue(
        schemas=_by_oid(_rows(session, Schema, _SCHEMAS)),
        relations=_by_oid(_rows(session, Relation, _RELATIONS)),
        columns={(each.relation, each.number): each for each in columns},
        constraints=_by_oid(_rows(session, Constraint, _CONSTRAINTS)),
        indexes=_by_oid(_rows(session, Index, _INDEXES)),
        functions=_by_oid(_rows(session, Function, _FUNCTIONS)),
        types=_by_oid(_rows(session, Type, _TYPES)),
        triggers=_by_oid(_rows(session, Trigger, _TRIGGERS)),
        policies=_by_oid(_rows(session, Policy, _POLICIES)),
        extensions={
            str(name): str(version)
            for name, version in session.execute("SELECT extname, extversion FROM pg_extension")
        },
        grants=frozenset(_rows(session, Grant, _GRANTS, role=role)),
        acl=frozenset(_rows(session, Acl, _ACL)),
        exempt=frozenset(
            str(name)
            for (name,) in session.execute(
                "SELECT rolname FROM pg_roles WHERE rolsuper OR rolbypassrls"
            )
        ),
    )


def _rows(session: Session, row: type[Row], query: str, **parameters: str) -> list[Row]:
    own = {
        "own": sql.SQL(_OWN).format(sql.Literal(SCHEMA)),
        # Before 15 no two NULLs were equal in an index.
        "nulls": sql.SQL(
            "i.indnullsnotdistinct" if session.info.server_version >= 150000 else "false"
        ),
        **{name: sql.Literal(value) for name, value in parameters.items()},
    }
    with session.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(sql.SQL(query).format(**own)).fetchall()


def _by_oid(rows: list[Any]) -> dict[int, Any]:
    return {row.oid: row for row in rows}


# A row of `n` (a namespace) and `o` (an oid) that is the database's own.
_OWN = r"""
    n.nspname NOT IN ('pg_catalog', 'information_schema', {}) AND n.nspname NOT LIKE 'pg\_%'
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = o AND e.deptype = 'e')
"""
_SCHEMAS = """
    SELECT o AS oid, quote_ident(n.nspname) AS name, n.nspowner::regrole::text AS owner
    FROM pg_namespace n, LATERAL (SELECT n.oid AS o) x WHERE {own}
"""
_RELATIONS = """
    SELECT o AS oid, format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind,
           c.relowner::regrole::text AS owner, c.relrowsecurity AS row_security,
           c.relforcerowsecurity AS forced,
           coalesce((SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid
                     AND NOT i.inhdetachpending ORDER BY i.inhseqno LIMIT 1), 0) AS parent,
           CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid)
                WHEN c.relkind = 'S' THEN (
                    SELECT format('%s from %s by %s, %s to %s%s', s.seqtypid::regtype, s.seqstart,
                                  s.seqincrement, s.seqmin, s.seqmax,
                                  CASE WHEN s.seqcycle THEN ', again' ELSE '' END)
                    FROM pg_sequence s WHERE s.seqrelid = c.oid)
                ELSE coalesce(pg_get_expr(c.relpartbound, c.oid), '') END AS definition
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT c.oid AS o) x
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {own}
"""
_COLUMNS = """
    SELECT c.oid AS relation, a.attnum AS number, quote_ident(a.attname) AS name,
           format_type(a.atttypid, a.atttypmod) AS type, a.atttypid AS type_oid,
           a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS not_null,
           CASE WHEN a.attgenerated = '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid),
                t.typdefault, '') ELSE '' END AS default,
           EXISTS (SELECT FROM pg_depend p JOIN pg_proc f ON f.oid = p.refobjid
                   WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                     AND p.refclassid = 'pg_proc'::regclass)
           OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') ~ '[(]' AS volatile,
           a.attidentity::text AS identity,
           CASE WHEN a.attgenerated = '' THEN '' ELSE
               concat(a.attgenerated, ' ', pg_get_expr(d.adbin, d.adrelid)) END AS generated
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum,
    LATERAL (SELECT c.oid AS o) x
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND {own}
    ORDER BY 1, 2
"""
_CONSTRAINTS = """
    SELECT k.oid AS oid, k.conrelid AS relation, k.contypid AS domain,
           quote_ident(k.conname) AS name, k.contype::text AS kind,
           pg_get_constraintdef(k.oid) AS definition,
           k.convalidated AS valid, coalesce(k.conkey, '{{}}')::int[] AS columns,
           k.confrelid AS refers, k.conindid AS index
    FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace,
    LATERAL (SELECT coalesce(nullif(k.conrelid, 0), k.contypid) AS o) x
    WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND {own}
"""
_INDEXES = """
    SELECT o AS oid, i.indrelid AS relation, format('%I.%I', n.nspname, c.relname) AS name,
           pg_get_indexdef(c.oid) AS definition, i.indisunique AS unique, i.indisvalid AS valid,
           i.indkey::int[] AS columns, {nulls} AS nulls_are_equal
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT c.oid AS o) x WHERE {own}
"""
_FUNCTIONS = """
    SELECT o AS oid, format('%I.%I(%s)', n.nspname, p.proname,
                            pg_get_function_identity_arguments(p.oid)) AS name,
           coalesce(pg_get_function_result(p.oid), '') AS returns,
           coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS body,
           pg_get_function_arguments(p.oid) AS arguments,
           concat(p.prokind, p.provolatile, p.proisstrict, p.prosecdef, p.proconfig) AS strictness
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, LATERAL (SELECT p.oid AS o) x
    WHERE {own}
"""
_TYPES = """
    SELECT o AS oid, format('%I.%I', n.nspname, t.typname) AS name, t.typtype::text AS kind,
           CASE t.typtype
               WHEN 'e' THEN array(SELECT enumlabel::text FROM pg_enum
                                   WHERE enumtypid = t.oid ORDER BY enumsortorder)
               WHEN 'd' THEN array[format_type(t.typbasetype, t.typtypmod), t.typnotnull::text]
               ELSE array(SELECT concat(attname, ' ', format_type(atttypid, atttypmod))
                          FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0
                          AND NOT attisdropped ORDER BY attnum) END AS values
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid, LATERAL (SELECT t.oid AS o) x
    WHERE (t.typtype IN ('e', 'd') OR (t.typtype = 'c' AND c.relkind = 'c')) AND {own}
"""
_TRIGGERS = """
    SELECT o AS oid, t.tgrelid AS relation, quote_ident(t.tgname) AS name, 'trigger' AS kind,
           pg_get_triggerdef(t.oid) AS definition, t.tgenabled IN ('O', 'A') AS enabled,
           t.tgfoid AS function, p.prosrc AS body
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT t.oid AS o) x
    WHERE NOT t.tgisinternal AND {own}
    UNION ALL
    SELECT o, r.ev_class, quote_ident(r.rulename), 'rule', pg_get_ruledef(r.oid),
           r.ev_enabled IN ('O', 'A'), 0, ''
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT r.oid AS o) x
    WHERE r.rulename <> '_RETURN' AND {own}
"""
_POLICIES = """
    SELECT o AS oid, p.polrelid AS relation, quote_ident(p.polname) AS name,
           p.polcmd::text AS command,
           concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
                     p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid),
                     pg_get_expr(p.polwithcheck, p.polrelid)) AS definition,
           p.polpermissive AND p.polcmd = '*' AND p.polroles = '{{0}}'
           AND pg_get_expr(p.polqual, p.polrelid) = 'true'
           AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true' AS open
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT p.oid AS o) x WHERE {own}
"""
_GRANTS = """
    SELECT 'relation' AS kind, o AS oid, 0 AS number, p AS privilege
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT c.oid AS o) x,
    unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES']) p
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {own} AND has_table_privilege({role}, c.oid, p)
    UNION ALL
    SELECT 'column', c.oid, a.attnum, p
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid, LATERAL (SELECT c.oid AS o) x,
    unnest(array['SELECT', 'INSERT', 'UPDATE']) p
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attacl IS NOT NULL AND NOT a.attisdropped
      AND {own} AND NOT has_table_privilege({role}, c.oid, p)
      AND has_column_privilege({role}, c.oid, a.attnum, p)
    UNION ALL
    SELECT 'sequence', o, 0, p
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT c.oid AS o) x,
    unnest(array['SELECT', 'USAGE', 'UPDATE']) p
    WHERE c.relkind = 'S' AND {own} AND CASE WHEN c.relkind = 'S' THEN
          has_sequence_privilege({role}, c.oid, p) END
    UNION ALL
    SELECT 'function', o, 0, 'EXECUTE'
    FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace, LATERAL (SELECT f.oid AS o) x
    WHERE {own} AND has_function_privilege({role}, f.oid, 'EXECUTE')
    UNION ALL
    SELECT 'schema', o, 0, p
    FROM pg_namespace n, LATERAL (SELECT n.oid AS o) x, unnest(array['USAGE', 'CREATE']) p
    WHERE {own} AND has_schema_privilege({role}, n.oid, p)
    UNION ALL
    SELECT 'database', d.oid, 0, 'CONNECT'
    FROM pg_database d WHERE d.datname = current_database()
                         AND has_database_privilege({role}, d.oid, 'CONNECT')
"""
_ACL = """
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'relation' END AS kind, o AS oid,
           coalesce(a.grantee::regrole::text, '') AS grantee, a.privilege_type AS privilege
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT c.oid AS o) x,
    aclexplode(c.relacl) a
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {own} AND a.grantee <> c.relowner
"""
