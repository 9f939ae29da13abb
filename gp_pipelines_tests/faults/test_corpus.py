"""The corpus of migrations: the gate's verdict on each, and that the verdict is the truth."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from gp_pipelines.databases.compatibility.check import check
from gp_pipelines.databases.compatibility.migrations import SqlFile
from gp_pipelines.databases.compatibility.old_queries import OldQueries
from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS
from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines_tests.databases.corpus import proof
from gp_pipelines_tests.databases.corpus.case import Case, cases
from gp_pipelines_tests.databases.server import BIN, running_server

CASES = cases()
ROLES = ("owner", "app", "reader")
_numbers = itertools.count()


@pytest.fixture(scope="session")
def live_server() -> Iterator[str]:
    with running_server() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for role in ROLES:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'p'").format(sql.Identifier(role))
                )
            connection.execute("CREATE ROLE group_of_app ROLE app")
        yield url


@pytest.fixture(scope="session")
def shadow_server() -> Iterator[str]:
    with running_server(*SERVER_SETTINGS) as url:
        yield url


@pytest.fixture
def database(live_server: str) -> Iterator[Callable[[Case], str]]:
    """A new database as a case has it before its migration; its URL as superuser."""
    made = []

    def make(case: Case) -> str:
        name = f"case_{next(_numbers)}"
        with psycopg.connect(live_server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER owner").format(sql.Identifier(name))
            )
        made.append(name)
        url = make_conninfo(live_server, dbname=name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET SESSION AUTHORIZATION owner")
            connection.execute(
                "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;"
                "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO app"
            )
            connection.execute(case.schema.encode())
        return url

    yield make
    with psycopg.connect(live_server, autocommit=True) as connection:
        for name in made:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict(case: Case, database: Callable[[Case], str], shadow_server: str) -> None:
    @contextmanager
    def scratch() -> Iterator[str]:
        yield shadow_server

    url = database(case)
    if case.migrated_by in ROLES:
        url = make_conninfo(url, user=case.migrated_by, password="p")
    statements = tuple(query.sql for query in case.queries)
    report = check(
        Connector(lambda: url, advice=""),
        [SqlFile(name, text) for name, text in case.files.items()],
        scratch=scratch,
        tools=PgTools(BIN.joinpath),
        queries=None if case.unknown_queries else OldQueries.of(statements, complete=True),
        role=case.role,
        large_table_mb=case.large_table_mb,
        progress=lambda line: None,
    )
    assert str(report.verdict) == case.expected, f"{case.why}\n{report.as_markdown()}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_truth(case: Case, database: Callable[[Case], str]) -> None:
    """The old version's queries work before; after it, those that the case names do not."""
    url = database(case)
    with proof.connect(url, case.role) as running:
        worked = []
        for number, query in enumerate(case.queries):
            proof.prepare(running, number, query)
            worked.append(proof.execute(running, number, query))
            assert not worked[-1].error, f"before the migration: {query.sql}: {worked[-1].error}"
        if case.waits:
            assert proof.waits(url, case)
        proof.migrate(url, case)
        with proof.connect(url, case.role) as started_anew:
            for number, query in enumerate(case.queries):
                now = proof.run_anew(started_anew, number, query)
                assert bool(now.error) == query.fails, f"{query.sql}: {now.error or 'no error'}"
                open_session = proof.execute(running, number, query)
                if not query.fails:
                    assert bool(open_session.error) == query.fails_in_open_sessions, (
                        f"{query.sql}: {open_session.error or 'no error'}"
                    )
                if not now.error:
                    assert (now.rows < worked[number].rows) == query.loses, query.sql
    assert proof.may_connect(url, case.role) is not case.cannot_connect
    assert case.breaks is (case.expected == "breaking")
