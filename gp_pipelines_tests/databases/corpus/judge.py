"""The gate's verdict on a case, and how often it is wrong over many."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from gp_pipelines.databases.compatibility.check import check
from gp_pipelines.databases.compatibility.finding import Report
from gp_pipelines.databases.compatibility.migrations import SqlFile
from gp_pipelines.databases.compatibility.old_queries import OldQueries
from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines_tests.databases.corpus.case import Case
from gp_pipelines_tests.databases.server import BIN, running_server

ROLES = ("owner", "app", "reader")
PASSWORD = "p"


@dataclass(frozen=True)
class Score:
    missed_breaking: tuple[str, ...]  # cases that break the old version, and were let through
    false_alarms: tuple[str, ...]  # cases that break nothing, and were stopped
    false_alarm_share: float  # of the cases that break nothing

    @classmethod
    def of(cls, verdicts: Sequence[tuple[Case, str]]) -> "Score":
        harmless = [(case, verdict) for case, verdict in verdicts if case.expected == "compatible"]
        alarms = tuple(case.name for case, verdict in harmless if verdict != "compatible")
        return cls(
            tuple(
                case.name
                for case, verdict in verdicts
                if case.expected == "breaking" and verdict != "breaking"
            ),
            alarms,
            len(alarms) / max(1, len(harmless)),
        )


@contextmanager
def live_server() -> Iterator[str]:
    """A server with the roles of the cases; its URL as superuser."""
    with running_server() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for role in ROLES:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(PASSWORD)
                    )
                )
            connection.execute("CREATE ROLE group_of_app ROLE app")
        yield url


@contextmanager
def database_of(case: Case, server: str, name: str) -> Iterator[str]:
    """A new database as the case has it before its migration; its URL as superuser."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER owner").format(sql.Identifier(name)))
        url = make_conninfo(server, dbname=name)
        try:
            _fill(url, case.schema)
            yield url
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


def judge(case: Case, url: str, shadow_server: str) -> Report:
    """What the gate says of the case's migration of the database at `url`."""

    @contextmanager
    def scratch() -> Iterator[str]:
        yield shadow_server

    if case.migrated_by in ROLES:
        url = make_conninfo(url, user=case.migrated_by, password=PASSWORD)
    statements = tuple(query.sql for query in case.queries)
    return check(
        Connector(lambda: url, advice=""),
        [SqlFile(name, text) for name, text in case.files.items()],
        scratch=scratch,
        tools=PgTools(BIN.joinpath),
        queries=None if case.unknown_queries else OldQueries.of(statements, complete=True),
        role=case.role,
        large_table_mb=case.large_table_mb,
        progress=lambda line: None,
    )


def _fill(url: str, schema: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET SESSION AUTHORIZATION owner")
        connection.execute(
            "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;"
            "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO app"
        )
        connection.execute(schema.encode())
