"""A published application as a test uses it: its migrate command, and its versions at work."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from gp_pipelines.databases.compatibility.migrations import ForeignCommand
from gp_pipelines.databases.connection import inherited_environment
from gp_pipelines_tests.databases.corpus.proof import Connection

ROOT = Path(__file__).parents[3]
VARIABLE = "DATABASE_URL"


@dataclass(frozen=True)
class Work:
    """What one version asks of its database."""

    statements: tuple[str, ...]  # with $1 for their parameters
    failed: Mapping[str, str]  # what the database refused of it, and why


@dataclass(frozen=True)
class Project:
    """`program` is a module with the commands of `django_project`."""

    program: str
    url: str

    def command(self, migration: str) -> ForeignCommand:
        return ForeignCommand(self._argv("migrate", migration), ROOT, {}, VARIABLE)

    def plan(self) -> list[str]:
        return self._run("plan").split()

    def reach(self, migration: str) -> None:
        self._run("reach", migration)

    def migrate(self, migration: str) -> None:
        self._run("migrate", migration)

    def work(self, migration: str) -> Work:
        said = json.loads(self._run("work", migration))
        return Work(tuple(said["statements"]), said["failed"])

    def _argv(self, *arguments: str) -> tuple[str, ...]:
        module = f"gp_pipelines_tests.databases.real_projects.{self.program}"
        return (sys.executable, "-m", module, *arguments)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            self._argv(*arguments),
            env={**inherited_environment(), VARIABLE: self.url},
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def keep_prepared(connection: Connection, statements: tuple[str, ...]) -> None:
    """As a driver does that prepares each statement once for a session."""
    for number, statement in enumerate(statements):
        connection.execute(f"PREPARE q{number} AS {statement}".encode())


def failing_in_open_sessions(connection: Connection, statements: tuple[str, ...]) -> dict[str, str]:
    """What of `keep_prepared` its session cannot execute any more, without a value in it."""
    failing = {}
    for number, statement in enumerate(statements):
        row = connection.execute(
            "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = %s",
            [f"q{number}"],
        ).fetchone()
        assert row is not None
        values = ", ".join(["NULL"] * int(str(row[0])))
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(
                    f"EXPLAIN EXECUTE q{number}{f'({values})' * bool(values)}".encode()
                )
        except psycopg.Error as error:
            failing[statement] = str(error)
    return failing
