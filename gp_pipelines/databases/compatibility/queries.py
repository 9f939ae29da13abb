"""Try the old version's queries on the shadow: before the migration, and after it.

A query is prepared with the types that its parameters had before, explained as the role that the
version runs as (which preparing alone does not ask about), and then executed for real, on a row or
two of made-up values, in a transaction that is rolled back: so what only happens in a trigger or in
a function's body happens too.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import errors, sql

from gp_pipelines.databases.compatibility import parameters, sample
from gp_pipelines.databases.compatibility.catalogue import Catalogue
from gp_pipelines.databases.compatibility.shadow import APPLICATION, Shadow
from gp_pipelines.databases.connection import Session

_numbers = itertools.count()
PATIENCE = "5s"  # for one query: on a handful of rows
ROWS_COMPARED = 20
WRITES = frozenset({"INSERT", "UPDATE", "DELETE"})
_PREPARABLE = re.compile(r"(?i)\s*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|VALUES|WITH|TABLE|\()")
_PARAMETER = re.compile(r"\$\d+")
_COPY = re.compile(r"(?i)\s*COPY\b.*\b(?:STDIN|STDOUT)\b", re.DOTALL)
_COPY_OUT = re.compile(r"(?i)\bTO\s+STDOUT\b")
_NO_TYPE = re.compile(r"data type of parameter \$(\d+)")


@dataclass(frozen=True, slots=True)
class Tried:
    """What executing a query on made-up rows did."""

    error: str  # empty: it went through
    inconclusive: bool  # it failed for want of other data
    rows: int
    results: tuple[str, ...]
    seeded: frozenset[int]  # tables that had a row


@dataclass(frozen=True, slots=True)
class Outcome:
    """One query on one schema."""

    query: str
    error: str  # empty: PostgreSQL would execute it
    types: tuple[str, ...] = ()  # of its parameters
    operations: Mapping[int, frozenset[str]] = field(default_factory=dict)  # by relation
    inserted: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # expressions by relation
    tried: Tried | None = None

    @property
    def works(self) -> bool:
        return not self.error

    @property
    def preparable(self) -> bool:
        return _PREPARABLE.match(self.query) is not None


def try_queries(
    shadow: Shadow,
    role: str,
    queries: Sequence[str],
    catalogue: Catalogue,
    *,
    before: Catalogue | None = None,
    types: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> tuple[Outcome, ...]:
    """Each of `queries`, as `role`, on the schema of `catalogue`. Nothing of it is left.

    After a migration, `before` is how the schema was, so that rows are as the old version wrote
    them, and `types` are the types that the parameters had.
    """
    with _as(shadow, role) as session:
        explained = [_explain(session, query, types.get(query)) for query in queries]
        used = {table for each in explained for table in each.operations}
        session.execute("RESET ROLE")
        given = sample.column_values(session, catalogue, used, before or catalogue)
        seeded = sample.insert_rows(session, catalogue, given)
        trial = _Trial(session, role, catalogue, before or catalogue, given, seeded)
        return tuple(_with_trial(trial, each) if each.works else each for each in explained)


@dataclass(frozen=True, slots=True)
class _Trial:
    """What queries are executed on."""

    session: Session
    role: str
    catalogue: Catalogue
    before: Catalogue
    given: sample.Values
    seeded: frozenset[int]


@contextmanager
def _as(shadow: Shadow, role: str) -> Iterator[Session]:
    """A transaction of the superuser's on the shadow, with the settings that `role` begins with."""
    settings: list[tuple[str, str]] = []
    with shadow.as_role(role).session(APPLICATION) as session:
        (path,) = session.execute("SELECT current_setting('search_path')").fetchone() or ("",)
        settings.append(("search_path", str(path)))
    with shadow.database.session(APPLICATION) as session:
        session.prepare_threshold = None  # psycopg would deallocate ours along with its own
        for name, value in [*settings, ("plan_cache_mode", "force_generic_plan")]:
            session.execute("SELECT set_config(%s, %s, false)", [name, value])
        session.execute("SELECT set_config('statement_timeout', %s, false)", [PATIENCE])
        with session.transaction(force_rollback=True):
            session.execute(_become(role))
            yield session


def _new_name() -> str:
    """A prepared statement outlives the transaction that made it."""
    return f"gp_query_{next(_numbers)}"


def _explain(session: Session, query: str, types: tuple[str, ...] | None) -> Outcome:
    if not _PREPARABLE.match(query):
        return Outcome(query, "")
    try:
        with session.transaction(force_rollback=True):
            name = _new_name()
            known = prepare(session, name, query, None)
            if types is not None:  # a driver may say which types they are, or leave it open
                name = _new_name()
                known = prepare(session, name, query, types)
            plan = session.execute(
                sql.SQL("EXPLAIN (VERBOSE, FORMAT JSON) {}").format(call(name, known))
            ).fetchone()
            operations, inserted = _operations(session, plan)
            return Outcome(query, "", known, operations, inserted)
    except psycopg.Error as error:
        return Outcome(query, message(error))


def prepare(
    session: Session, name: str, query: str, types: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Prepare `query`, and return the types of its parameters. Where nothing tells, it is text."""
    declared = list(types or ())
    while True:
        head = f"PREPARE {name} {'(' + ', '.join(declared) + ')' if declared else ''} AS "
        try:
            with session.transaction():
                session.execute(f"{head}{query}".encode())
            break
        except errors.IndeterminateDatatype as error:
            found = _NO_TYPE.search(str(error))
            if found is None or types is not None:
                raise
            number = int(found[1])
            declared += ["unknown"] * (number - len(declared))
            declared[number - 1] = "text"
    row = session.execute(
        "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = %s", [name]
    ).fetchone()
    assert row is not None
    return tuple(row[0]) if isinstance(row[0], list) else ()


def call(name: str, types: Sequence[str], values: Sequence[str | None] = ()) -> sql.Composed:
    """EXECUTE it, with NULLs if there are no values."""
    given = list(values) or [None] * len(types)
    arguments = sql.SQL(", ").join(sql.Literal(value) for value in given)
    return sql.SQL("EXECUTE {}{}").format(
        sql.SQL(name), sql.SQL("({})").format(arguments) if given else sql.SQL("")
    )


def message(error: psycopg.Error) -> str:
    """What PostgreSQL says, without the query."""
    return error.diag.message_primary or str(error).strip()


def _operations(
    session: Session, plan: Any
) -> tuple[dict[int, frozenset[str]], dict[int, tuple[str, ...]]]:
    """What the query does to which relation: by the locks that it takes, and by its plan."""
    found: dict[int, set[str]] = {}
    inserted: dict[int, tuple[str, ...]] = {}
    names: dict[str, int] = {}
    rows = session.execute(
        "SELECT DISTINCT l.relation::bigint, l.mode, n.nspname, c.relname FROM pg_locks l "
        "JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384 "
        "AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    ).fetchall()
    for relation, mode, schema, name in rows:
        assert isinstance(relation, int)
        names[f"{schema}.{name}"] = relation
        found.setdefault(relation, set()).add("WRITE" if mode == "RowExclusiveLock" else "SELECT")
    # A rule may turn one query into several plans, or into none.
    plans = [each["Plan"] for each in (plan[0] if plan else ()) if "Plan" in each]
    for node in (node for each in plans for node in _nodes(each)):
        table = names.get(f"{node.get('Schema')}.{node.get('Relation Name')}")
        if node["Node Type"] == "ModifyTable" and table is not None:
            found[table].discard("WRITE")
            found[table] |= _does(node)
            if node["Operation"] == "Insert" and node.get("Plans"):
                inserted[table] = tuple(node["Plans"][-1].get("Output", ()))
    return {table: _or_all(operations) for table, operations in found.items()}, inserted


def _does(node: dict[str, Any]) -> set[str]:
    if node["Operation"] == "Merge":
        return set(WRITES)
    updates = {"UPDATE"} if node.get("Conflict Resolution") == "UPDATE" else set()
    return {str(node["Operation"]).upper()} | updates


def _or_all(operations: set[str]) -> frozenset[str]:
    """A lock for writing that no part of the plan explains may be for anything."""
    if "WRITE" in operations and not operations & WRITES:
        operations |= WRITES
    return frozenset(operations - {"WRITE"})


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _nodes(each)


def _with_trial(trial: _Trial, outcome: Outcome) -> Outcome:
    session = trial.session
    targets = [table for table, does in outcome.operations.items() if "INSERT" in does]
    operations = dict(outcome.operations)
    try:
        with session.transaction(force_rollback=True):
            _empty(session, trial.catalogue, targets)
            session.execute(_become(trial.role))
            tried = _execute(trial, outcome)
            for table, does in _written(session, trial.seeded, targets).items():
                operations[table] = operations.get(table, frozenset()) | does
    except psycopg.Error as error:
        tried = Tried(message(error), _for_want_of_data(trial, error), 0, (), frozenset())
    return replace(outcome, operations=operations, tried=tried)


def _execute(trial: _Trial, outcome: Outcome) -> Tried:
    session = trial.session
    seeded = trial.seeded.intersection(outcome.operations)
    if not outcome.preparable:
        _run_as_it_is(session, outcome.query)
        return Tried("", False, 0, (), seeded)
    name = _new_name()
    prepare(session, name, outcome.query, outcome.types)
    cursor = session.execute(call(name, outcome.types, _parameters(trial, outcome)))
    rows = cursor.fetchmany(ROWS_COMPARED) if cursor.description else []
    done = Tried("", False, cursor.rowcount, tuple(map(repr, rows)), seeded)
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as at the end of its transaction
    return done


def _parameters(trial: _Trial, outcome: Outcome) -> list[str | None]:
    oids = [_oid(trial.session, name) for name in outcome.types]
    by_type = sample.values(trial.session, oids)
    by_column = parameters.values_of(
        outcome.query,
        list(outcome.operations),
        outcome.inserted,
        trial.catalogue,
        trial.given,
    )
    return [by_column.get(number, by_type.get(oid)) for number, oid in enumerate(oids, 1)]


def _run_as_it_is(session: Session, query: str) -> None:
    """CALL, COPY and the like cannot be prepared; their parameters are values of any type."""
    statement = _PARAMETER.sub("'1'", query).encode()
    if not _COPY.match(query):
        session.execute(statement)
        return
    with session.cursor().copy(statement) as copy:
        if _COPY_OUT.search(query):
            for _ in copy:
                pass


def _oid(session: Session, type_name: str) -> int:
    row = session.execute("SELECT %s::regtype::oid::bigint", [type_name]).fetchone()
    return int(str(row[0])) if row else 0


def _empty(session: Session, catalogue: Catalogue, tables: Sequence[int]) -> None:
    """A made-up row must not be in the way of one that is to be inserted."""
    session.execute("RESET ROLE")
    session.execute("SET LOCAL session_replication_role = replica")
    for table in tables:
        if catalogue.relations[table].is_table:
            session.execute(
                sql.SQL("DELETE FROM {}").format(sql.SQL(catalogue.relations[table].name))
            )
    session.execute("SET LOCAL session_replication_role = origin")


def _written(
    session: Session, seeded: frozenset[int], emptied: Sequence[int]
) -> dict[int, frozenset[str]]:
    """Tables that a function or a trigger wrote: nobody else in this transaction locked them so."""
    session.execute("RESET ROLE")
    rows = session.execute(
        "SELECT l.relation::bigint FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
        "WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384 "
        "AND l.mode = 'RowExclusiveLock' AND c.relkind IN ('r', 'p')"
    ).fetchall()
    ours = seeded.union(emptied)
    return {int(str(table)): WRITES for (table,) in rows if int(str(table)) not in ours}


def _become(role: str) -> sql.Composed:
    return sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role))


def _for_want_of_data(trial: _Trial, error: psycopg.Error) -> bool:
    """On live data it may well go through."""
    if isinstance(error, errors.ForeignKeyViolation):
        return not _refers_to_a_new_table(trial, error.diag.constraint_name or "")
    return isinstance(error, errors.QueryCanceled | errors.UniqueViolation)


def _refers_to_a_new_table(trial: _Trial, constraint: str) -> bool:
    """All that is in such a table is on the shadow, too."""
    return any(
        each.kind == "f"
        and each.name.strip('"') == constraint
        and each.refers not in trial.before.relations
        for each in trial.catalogue.constraints.values()
    )
