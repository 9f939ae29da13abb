"""Migrations that only the service's own command knows: Django's, Alembic's, or anybody's.

This one keeps no table of what it has applied: it looks whether it is there.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from gp_pipelines.databases.compatibility.finding import Verdict
from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS
from gp_pipelines.databases.postgres import PostgresDatabase
from gp_pipelines.errors import StepFailed
from gp_pipelines_tests.databases.conftest import Live, service
from gp_pipelines_tests.databases.migrations import ARTIFACT, Migrations
from gp_pipelines_tests.databases.server import BIN, running_server

RELEASE = "0f3c8a1e-1111-2222-3333-444455556666"
MakeDatabase = Callable[..., PostgresDatabase]


@pytest.fixture
def database(live: Live, migrations: Migrations, home: Path) -> MakeDatabase:
    """`database("execute", "ALTER …")`: the command executes these statements."""

    def make(*command: str, contract: tuple[str, ...] = ()) -> PostgresDatabase:
        alone = {"command": list(command)}
        later = {"contract": {"command": list(contract)}} if contract else {}
        return PostgresDatabase(
            service(*command, migrations=alone, **later),
            migrations,
            url=lambda: live.url,
            secrets=dict,
            directory=home,
            bin=BIN.joinpath,
            scratch=running_server,
            shadow=lambda: running_server(*SERVER_SETTINGS),
        )

    return make


@pytest.fixture(autouse=True)
def _missions(live: Live) -> None:
    live.run("CREATE TABLE missions (id serial PRIMARY KEY, title text NOT NULL)")


def ignore(_: object) -> None:
    pass


CREW = ("execute", "ALTER TABLE missions ADD COLUMN IF NOT EXISTS crew text")
RENAMED = ("execute", "ALTER TABLE missions RENAME COLUMN title TO name")


def test_what_it_would_change_is_pending_until_it_has(database: MakeDatabase, live: Live) -> None:
    own = database(*CREW)
    before = own.schema()
    assert own.pending(ARTIFACT, ignore).versions == ("the schema changes",)
    assert own.schema() == before, "it was tried on a shadow"
    done = own.migrate(ARTIFACT, RELEASE, ignore, 60)
    assert done.applied == (own.schema().name,)
    assert own.schema().fingerprint != before.fingerprint
    assert not own.pending(ARTIFACT, ignore)


def test_it_is_judged_as_files_are(database: MakeDatabase, live: Live) -> None:
    rehearsed: list[str] = []
    checked = database(*CREW).check(ARTIFACT, None, rehearsed.append, ignore, 60)
    assert checked.report.verdict is Verdict.COMPATIBLE
    assert len(rehearsed) == 1
    database(*CREW).migrate(ARTIFACT, RELEASE, ignore, 60)
    assert checked.schema == database(*CREW).schema()
    checked = database(*RENAMED).check(ARTIFACT, None, rehearsed.append, ignore, 60)
    assert checked.report.verdict is Verdict.BREAKING
    assert "column-renamed" in {each.rule for each in checked.report.findings}
    assert live.value("SELECT count(title) FROM missions") == 0, "the live database is only read"


def test_one_that_fails_says_what_is_known(database: MakeDatabase, live: Live) -> None:
    own = database("execute", "ALTER TABLE missions ADD crew text", "SELECT 1/0")
    assert own.pending(ARTIFACT, ignore).versions[0].startswith("unknown")
    with pytest.raises(StepFailed) as failed:
        own.migrate(ARTIFACT, RELEASE, ignore, 60)
    assert "division by zero" in failed.value.what
    assert "Applied by it: schema" in failed.value.state


def test_the_contract_phase_makes_another_schema(database: MakeDatabase, live: Live) -> None:
    live.run("ALTER TABLE missions ADD old text")
    own = database(*CREW, contract=("execute", "ALTER TABLE missions DROP COLUMN IF EXISTS old"))
    own.migrate(ARTIFACT, RELEASE, ignore, 60)
    before = own.schema()
    assert own.contracting().pending(ARTIFACT, ignore)
    own.contracting().migrate(ARTIFACT, RELEASE, ignore, 60)
    assert not own.contracting().pending(ARTIFACT, ignore)
    assert own.schema().fingerprint != before.fingerprint
    assert own.schema() == own.contracting().schema()
