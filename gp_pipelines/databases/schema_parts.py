"""A schema as text, part by part: the same text for the same schema, on whichever server it is.

So there is no oid in it, no order in which things were made, and nothing that a server finds out by
itself. What belongs to an extension is left out; it comes with the extension.
"""

import re
from dataclasses import dataclass, replace
from typing import LiteralString

from psycopg import sql
from psycopg.rows import class_row

from gp_pipelines.databases.connection import Session

REPLAY_SCHEMA = "gp_replay"  # of the check of migrations, on a shadow
# PostgreSQL writes an expression with other casts and parentheses once a dump of it was loaded: of
# `kind IN ('a', 'b')` it makes `ANY ((ARRAY['a'::varchar, …])::text[])`, and of that then
# `ANY (ARRAY[('a'::varchar)::text, …])`. What is quoted is left alone.
_WRITTEN_OTHERWISE = re.compile(
    r"""
      (?P<quoted>'(?:[^']|'')*' | "(?:[^"]|"")*")
    | ::(?:\w+\.)?(?:\w+|"[^"]+")(?:\ (?:varying|precision|with(?:out)?\ time\ zone))?
      (?:\([\d,]+\))?(?:\[\])*
    | [()]
    | (?P<space>\s+)
    """,
    re.VERBOSE,
)
_VERBATIM = ("function", "comment")


@dataclass(frozen=True, slots=True)
class Part:
    """One object, or one side of it."""

    kind: str
    name: str
    text: str
    told: bool  # by a program that uses the schema, from how it was without


def told_parts(session: Session) -> frozenset[Part]:
    """What a program that uses the schema may work with, or not; without partitions and indexes
    that hold no rule: jobs and people make those while a version runs, and nothing depends on them.

    May be read by any role. Raises psycopg's errors.
    """
    return frozenset(part for part in _read(session, _SCHEMA) if part.told)


def all_parts(session: Session) -> frozenset[Part]:
    """Those, and all else that a migration may change. Read by a superuser."""
    return frozenset([*_read(session, _SCHEMA), *_read(session, _ROUND_ABOUT)])


def _read(session: Session, query: LiteralString) -> list[Part]:
    with session.transaction(), session.cursor(row_factory=class_row(Part)) as cursor:
        # Or names would be written with their schema here and without it there.
        cursor.execute("SET LOCAL search_path = ''")
        whole = sql.SQL(_OWN + query).format(replay=sql.Literal(REPLAY_SCHEMA))
        parts = cursor.execute(whole).fetchall()
    return [
        part if part.kind in _VERBATIM else replace(part, text=_plain(part.text)) for part in parts
    ]


def _plain(text: str) -> str:
    """As it is written whether it came from a dump or not."""
    return _WRITTEN_OTHERWISE.sub(lambda m: m["quoted"] or (" " if m["space"] else ""), text)


_OWN: LiteralString = r"""
WITH spaces AS MATERIALIZED (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', {replay})
      AND nspname NOT LIKE 'pg\_%'
), of_extensions AS MATERIALIZED (
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
), relations AS MATERIALIZED (
    SELECT c.*, format('%I.%I', s.nspname, c.relname) AS name
    FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
    WHERE (c.tableoid, c.oid) NOT IN (SELECT classid, objid FROM of_extensions)
), functions AS MATERIALIZED (
    SELECT p.*, format('%I.%I(%s)', s.nspname, p.proname,
                       pg_get_function_identity_arguments(p.oid)) AS name
    FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace
    WHERE (p.tableoid, p.oid) NOT IN (SELECT classid, objid FROM of_extensions)
), types AS MATERIALIZED (
    SELECT t.*, format('%I.%I', s.nspname, t.typname) AS name
    FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
      AND (t.tableoid, t.oid) NOT IN (SELECT classid, objid FROM of_extensions)
)
"""
# Where an expression refers to no column, 0 in place of its table spares a lock on it.
_SCHEMA: LiteralString = """
SELECT 'relation' AS kind, c.name,
       concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
                 CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
                 CASE WHEN c.relkind = 'v' THEN c.reloptions::text END,
                 CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
                 pg_get_expr(c.relpartbound, 0),
                 (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
                  FROM pg_inherits i WHERE i.inhrelid = c.oid)) AS text,
       NOT c.relispartition AS told
FROM relations c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT 'sequence', c.name,
       format('%s from %s by %s, %s to %s, %s', s.seqtypid::regtype, s.seqstart, s.seqincrement,
              s.seqmin, s.seqmax, s.seqcycle), true
FROM relations c JOIN pg_sequence s ON s.seqrelid = c.oid
UNION ALL
SELECT 'column', format('%s.%I', c.name, a.attname),
       concat_ws(' ', row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
                 format_type(a.atttypid, a.atttypmod),
                 CASE WHEN a.attnotnull THEN 'not null' END, a.attidentity, a.attgenerated,
                 CASE WHEN a.attcollation <> t.typcollation
                      THEN a.attcollation::regcollation::text END,
                 pg_get_expr(d.adbin, CASE a.attgenerated WHEN '' THEN 0 ELSE c.oid END)),
       NOT c.relispartition
FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT 'constraint', format('%s.%I', c.name, k.conname), pg_get_constraintdef(k.oid),
       NOT c.relispartition
FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid
WHERE k.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT 'index', i.name,
       concat_ws(' ', pg_get_indexdef(i.oid), CASE WHEN NOT x.indisvalid THEN 'invalid' END),
       x.indisunique AND x.indisvalid AND NOT i.relispartition
FROM relations i JOIN pg_index x ON x.indexrelid = i.oid
UNION ALL
SELECT 'function', p.name,
       concat_ws(' ', p.prokind, p.provolatile, p.proisstrict, p.prosecdef, p.proparallel,
                 p.proconfig::text, (SELECT lanname FROM pg_language WHERE oid = p.prolang),
                 pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
                 coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)), true
FROM functions p
UNION ALL
SELECT 'type', t.name,
       concat_ws(' ', t.typtype, t.typdefault, t.typnotnull,
           CASE t.typtype
               WHEN 'e' THEN (SELECT string_agg(quote_literal(enumlabel), ', '
                                                 ORDER BY enumsortorder)
                              FROM pg_enum WHERE enumtypid = t.oid)
               WHEN 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
                    (SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY conname)
                     FROM pg_constraint WHERE contypid = t.oid AND contype = 'c'))
               WHEN 'r' THEN (SELECT rngsubtype::regtype::text FROM pg_range WHERE rngtypid = t.oid)
               ELSE (SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)),
                                       ', ' ORDER BY attnum)
                     FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0
                     AND NOT attisdropped) END), true
FROM types t
UNION ALL
SELECT 'trigger', format('%s.%I', c.name, g.tgname),
       concat_ws(' ', g.tgenabled, pg_get_triggerdef(g.oid)), NOT c.relispartition
FROM relations c JOIN pg_trigger g ON g.tgrelid = c.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT 'rule', format('%s.%I', c.name, r.rulename),
       concat_ws(' ', r.ev_enabled, pg_get_ruledef(r.oid)), true
FROM relations c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', format('%s.%I', c.name, p.polname),
       concat_ws(' ', p.polcmd, p.polpermissive,
                 (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END, ', ')
                  FROM unnest(p.polroles) r),
                 pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
       NOT c.relispartition
FROM relations c JOIN pg_policy p ON p.polrelid = c.oid
"""
# Whose things are and who may use them, how they are stored, and what is not in a schema at all.
_ROUND_ABOUT: LiteralString = """
SELECT CASE WHEN c.relkind = 'S' THEN 'sequence' WHEN c.relkind IN ('i', 'I') THEN 'index'
            ELSE 'relation' END AS kind, c.name,
       concat_ws(' ', c.relowner::regrole, c.relacl, c.reloptions, c.relreplident, c.reltablespace,
                 c.relam) AS text, false AS told
FROM relations c
UNION ALL
SELECT 'column', format('%s.%I', c.name, a.attname),
       concat_ws(' ', a.attstorage, a.attstattarget, a.attoptions, a.attacl), false
FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT 'function', p.name, concat_ws(' ', p.proowner::regrole, p.proacl), false
FROM functions p
UNION ALL
SELECT 'type', t.name, concat_ws(' ', t.typowner::regrole, t.typacl), false FROM types t
UNION ALL
SELECT 'schema', s.nspname, concat_ws(' ', n.nspowner::regrole, n.nspacl), false
FROM spaces s JOIN pg_namespace n ON n.oid = s.oid
UNION ALL
SELECT 'database', '', concat_ws(' ', datdba::regrole, datacl), false
FROM pg_database WHERE datname = current_database()
UNION ALL
SELECT 'default rights', concat_ws(' ', d.defaclrole::regrole, s.nspname, d.defaclobjtype),
       d.defaclacl::text, false
FROM pg_default_acl d LEFT JOIN spaces s ON s.oid = d.defaclnamespace
UNION ALL
SELECT 'role', r.rolname,
       concat_ws(' ', r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
                 r.rolbypassrls,
                 (SELECT string_agg(m.roleid::regrole::text, ', ' ORDER BY m.roleid)
                  FROM pg_auth_members m WHERE m.member = r.oid)), false
FROM pg_roles r
UNION ALL
SELECT 'setting', concat_ws(' ', s.setrole, s.setdatabase), c, false
FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE c NOT LIKE 'log_statement=%'
UNION ALL
SELECT 'extension', extname, concat_ws(' ', extversion, extnamespace::regnamespace), false
FROM pg_extension
UNION ALL
SELECT 'comment', (pg_identify_object(classoid, objoid, objsubid)).identity, description, false
FROM pg_description WHERE objoid >= 16384
UNION ALL
SELECT o.kind, coalesce((pg_identify_object(o.class, o.oid, 0)).identity, ''), o.text, false FROM (
    SELECT 'event trigger' AS kind, tableoid AS class, oid, to_jsonb(x)::text AS text
    FROM pg_event_trigger x WHERE NOT starts_with(evtname, {replay})
    UNION ALL SELECT 'publication', tableoid, oid, to_jsonb(x)::text FROM pg_publication x
    UNION ALL SELECT 'table of a publication', tableoid, oid, to_jsonb(x)::text
              FROM pg_publication_rel x
    UNION ALL SELECT 'foreign server', tableoid, oid, to_jsonb(x)::text FROM pg_foreign_server x
    UNION ALL SELECT 'foreign-data wrapper', tableoid, oid, to_jsonb(x)::text
              FROM pg_foreign_data_wrapper x
    UNION ALL SELECT 'cast', tableoid, oid, to_jsonb(x)::text FROM pg_cast x
    UNION ALL SELECT 'operator', tableoid, oid, to_jsonb(x)::text FROM pg_operator x
    UNION ALL SELECT 'operator class', tableoid, oid, to_jsonb(x)::text FROM pg_opclass x
    UNION ALL SELECT 'collation', tableoid, oid, to_jsonb(x)::text FROM pg_collation x
    UNION ALL SELECT 'conversion', tableoid, oid, to_jsonb(x)::text FROM pg_conversion x
    UNION ALL SELECT 'text search configuration', tableoid, oid, to_jsonb(x)::text
              FROM pg_ts_config x
    UNION ALL SELECT 'text search dictionary', tableoid, oid, to_jsonb(x)::text FROM pg_ts_dict x
    UNION ALL SELECT 'statistics', tableoid, oid, to_jsonb(x)::text FROM pg_statistic_ext x
    UNION ALL SELECT 'language', tableoid, oid, to_jsonb(x)::text FROM pg_language x
) o WHERE o.oid >= 16384 AND (o.class, o.oid) NOT IN (SELECT classid, objid FROM of_extensions)
"""
