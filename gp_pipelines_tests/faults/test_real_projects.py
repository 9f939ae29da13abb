"""Published applications, migration by migration through their own migrate command.

For each it is known from the application itself whether the version before it goes on: its models
as they were insert, read, change and delete before the migration and after it.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import yaml
from psycopg import sql

from gp_pipelines.databases.compatibility.check import check
from gp_pipelines.databases.compatibility.migrations import ForeignCommand
from gp_pipelines.databases.compatibility.old_queries import OldQueries
from gp_pipelines.databases.compatibility.pending import Changes, changed_by
from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS, Shadow
from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.contract import Schema
from gp_pipelines.databases.fingerprint import schema_fingerprint
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines.databases.verification import Scratch
from gp_pipelines_tests.databases import real_projects
from gp_pipelines_tests.databases.corpus.judge import PASSWORD, live_server
from gp_pipelines_tests.databases.real_projects.project import (
    Project,
    failing_in_open_sessions,
    keep_prepared,
)
from gp_pipelines_tests.databases.server import BIN, running_server

EXPECTED = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted(Path(str(real_projects.__file__)).parent.glob("*.yaml"))
}
STEPS = [
    (program, migration, verdict)
    for program, migrations in EXPECTED.items()
    for migration, verdict in migrations.items()
]
TOOLS = PgTools(BIN.joinpath)
_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Its URL as superuser."""
    with live_server() as url:
        yield url


@pytest.fixture(scope="session")
def shadow_server() -> Iterator[str]:
    with running_server(*SERVER_SETTINGS) as url:
        yield url


@pytest.fixture
def scratch(shadow_server: str) -> Scratch:
    @contextmanager
    def shared() -> Iterator[str]:
        yield shadow_server

    return shared


@pytest.fixture
def url(server: str) -> str:
    """Of an empty database, as the role of the application, which owns it."""
    name = f"project_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER app").format(sql.Identifier(name)))
    host = psycopg.conninfo.conninfo_to_dict(server)["host"]
    return f"postgresql://app:{PASSWORD}@/{name}?host={host}"


def schema(connector: Connector) -> Schema:
    with connector.session() as session:
        return schema_fingerprint(session)


def pending(url: str, command: ForeignCommand, scratch: Scratch) -> Changes:
    return changed_by(
        Connector(lambda: url, advice=""),
        command,
        scratch=scratch,
        tools=TOOLS,
        progress=lambda line: None,
    )


@pytest.mark.parametrize("program", EXPECTED)
def test_every_migration_is_expected(program: str, url: str) -> None:
    assert Project(program, url).plan() == list(EXPECTED[program])


@pytest.mark.parametrize(
    ("program", "migration", "expected"), STEPS, ids=[step[1] for step in STEPS]
)
def test_the_verdict_is_what_becomes_of_the_version_before(
    program: str, migration: str, expected: str, url: str, scratch: Scratch
) -> None:
    project = Project(program, url)
    project.reach(migration)
    before = project.work(migration)
    made: list[Schema] = []

    def rehearsed(shadow: Shadow) -> None:
        made.append(schema(shadow.database))

    live = Connector(lambda: url, advice="")
    report = check(
        live,
        project.command(migration),
        scratch=scratch,
        tools=TOOLS,
        queries=OldQueries.of(before.statements, complete=True),
        then=rehearsed,
        progress=lambda line: None,
    )
    with proof_of_open_sessions(url, before.statements) as failing:
        project.migrate(migration)
    after = project.work(migration)
    breaks = {**failing, **{k: after.failed[k] for k in after.failed.keys() - before.failed.keys()}}
    assert str(report.verdict) == expected, f"{breaks}\n{report.as_markdown()}"
    assert bool(breaks) is (expected == "breaking"), f"{breaks}\n{report.as_markdown()}"
    assert made == [schema(live)]


@contextmanager
def proof_of_open_sessions(url: str, statements: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Filled at the end with what fails in a session that was open before."""
    failing: dict[str, str] = {}
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        keep_prepared(connection, statements)
        yield failing
        failing |= failing_in_open_sessions(connection, statements)


@pytest.mark.parametrize(
    ("program", "migration"),
    [
        ("django_project", "contenttypes.0001_initial"),
        ("django_project", "auth.0004_alter_user_username_opts"),  # changes nothing in the schema
        ("django_project", "auth.0011_update_proxy_permissions"),  # moves rows only
        ("django_project", "flatpages.0001_initial"),
        ("django_project", "oauth2_provider.0012_add_token_checksum"),
    ],
)
def test_a_migration_is_pending_until_it_is_applied(
    program: str, migration: str, url: str, scratch: Scratch
) -> None:
    project = Project(program, url)
    project.reach(migration)
    command = project.command(migration)
    assert pending(url, command, scratch).versions == (migration,)
    project.migrate(migration)
    assert not pending(url, command, scratch)
