"""Event triggers on the shadow: what each statement did, seen while it still holds its locks.

A statement that a function or a DO block executes is seen as well, by the stack of its caller. What
event triggers do not see (TRUNCATE, LOCK TABLE, UPDATE) `observe` records, called after a statement
in its transaction.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from gp_pipelines.databases.connection import Session

SCHEMA = "gp_replay"
OTHER_SERVER = "is not tried on a shadow: it may reach another server"
OBSERVE: LiteralString = "SELECT gp_replay.observe(%s)"

_INSTALL: LiteralString = r"""
CREATE SCHEMA gp_replay;

CREATE TABLE gp_replay.seen (
    id bigint GENERATED ALWAYS AS IDENTITY, moment text, tag text, pid int, began timestamptz,
    query text, context text, commands jsonb, dropped jsonb, rewritten oid, locks jsonb, scans jsonb
);

CREATE FUNCTION gp_replay.locks() RETURNS jsonb LANGUAGE sql SET search_path = pg_catalog AS $$
    SELECT /* gp_replay */ jsonb_agg(jsonb_build_array(l.relation::bigint, l.mode))
    FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
      AND c.relkind IN ('r', 'p', 'm') AND l.relation >= 16384
      AND c.relnamespace <> 'gp_replay'::regnamespace
$$;

CREATE FUNCTION gp_replay.scans() RETURNS jsonb LANGUAGE sql SET search_path = pg_catalog AS $$
    SELECT /* gp_replay */ jsonb_object_agg(oid, pg_stat_get_xact_numscans(oid)) FROM pg_class
    WHERE relkind IN ('r', 'm') AND oid >= 16384 AND pg_stat_get_xact_numscans(oid) > 0
$$;

CREATE FUNCTION gp_replay.event() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog AS $$
DECLARE
    stack text;
    commands jsonb;
    dropped jsonb;
    rewritten oid;
BEGIN
    IF TG_EVENT = 'ddl_command_start' AND TG_TAG IN
        ('CREATE SUBSCRIPTION', 'ALTER SUBSCRIPTION', 'CREATE USER MAPPING',
         'ALTER USER MAPPING', 'IMPORT FOREIGN SCHEMA') THEN
        RAISE EXCEPTION '% is not tried on a shadow: it may reach another server', TG_TAG;
    END IF;
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF TG_EVENT = 'ddl_command_end' THEN
        SELECT jsonb_agg(jsonb_build_array(object_type, object_identity, objid::bigint))
        INTO commands FROM pg_event_trigger_ddl_commands();
    ELSIF TG_EVENT = 'sql_drop' THEN
        SELECT jsonb_agg(jsonb_build_array(object_type, object_identity, objid::bigint))
        INTO dropped FROM pg_event_trigger_dropped_objects();
    ELSIF TG_EVENT = 'table_rewrite' THEN
        rewritten := pg_event_trigger_table_rewrite_oid();
    END IF;
    INSERT INTO gp_replay.seen
        (moment, tag, pid, began, query, context, commands, dropped, rewritten, locks, scans)
    VALUES (TG_EVENT, TG_TAG, pg_backend_pid(), now(), current_query(), stack, commands, dropped,
            rewritten, gp_replay.locks(), gp_replay.scans());
END
$$;

CREATE FUNCTION gp_replay.observe(query text) RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog AS $$
    INSERT INTO gp_replay.seen (moment, tag, pid, began, query, context, locks, scans)
    VALUES ('statement', '', pg_backend_pid(), now(), query, '',
            gp_replay.locks(), gp_replay.scans())
$$;

GRANT USAGE ON SCHEMA gp_replay TO PUBLIC;
GRANT EXECUTE ON FUNCTION gp_replay.observe TO PUBLIC;

CREATE EVENT TRIGGER gp_replay_start ON ddl_command_start EXECUTE FUNCTION gp_replay.event();
CREATE EVENT TRIGGER gp_replay_end ON ddl_command_end EXECUTE FUNCTION gp_replay.event();
CREATE EVENT TRIGGER gp_replay_drop ON sql_drop EXECUTE FUNCTION gp_replay.event();
CREATE EVENT TRIGGER gp_replay_rewrite ON table_rewrite EXECUTE FUNCTION gp_replay.event();
"""
_REMOVE: LiteralString = """
DROP EVENT TRIGGER gp_replay_start; DROP EVENT TRIGGER gp_replay_end;
DROP EVENT TRIGGER gp_replay_drop; DROP EVENT TRIGGER gp_replay_rewrite
"""
_READ: LiteralString = """
    SELECT moment, tag, pid, began::text, query, context, coalesce(commands, '[]'),
           coalesce(dropped, '[]'), rewritten::bigint, coalesce(locks, '[]'), coalesce(scans, '{}')
    FROM gp_replay.seen ORDER BY id
"""
_NESTED = re.compile(r'^SQL statement "(.*?)"$', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Seen:
    """One moment of one statement."""

    moment: str  # ddl_command_start, ddl_command_end, sql_drop, table_rewrite, statement
    tag: str  # ALTER TABLE
    transaction: tuple[int, str]
    statement: str  # the innermost one that the trigger knows of
    nested: bool  # executed by a function or a DO block
    touched: tuple[tuple[str, str, int], ...]  # kind, identity, oid: made, changed or dropped
    rewritten: int | None  # the table's oid
    locks: frozenset[tuple[int, str]]  # table and mode, held by the transaction at that moment
    scans: Mapping[int, int]  # how often each table was read from end to end until then


def install(session: Session) -> None:
    session.execute(_INSTALL)


def stop(session: Session) -> None:
    """What comes after is no part of the migration."""
    session.execute(_REMOVE)


def seen(session: Session) -> tuple[Seen, ...]:
    """In order. What was rolled back never happened, and is not in it."""
    return tuple(_seen(*row) for row in session.execute(_READ))


def _seen(*row: Any) -> Seen:
    moment, tag, pid, began, query, context, commands, dropped, rewritten, locks, scans = row
    nested = _NESTED.search(context)
    return Seen(
        moment=moment,
        tag=tag,
        transaction=(pid, began),
        statement=nested[1] if nested else query,
        nested=nested is not None,
        touched=tuple((kind, identity, oid) for kind, identity, oid in [*commands, *dropped]),
        rewritten=rewritten,
        locks=frozenset((relation, mode) for relation, mode in locks),
        scans={int(relation): count for relation, count in scans.items()},
    )
