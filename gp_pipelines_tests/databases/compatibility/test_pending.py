"""What a migrate command has left to do, whatever tool it is."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gp_pipelines.databases.compatibility.migrations import ForeignCommand
from gp_pipelines.databases.compatibility.pending import Changes, changed_by
from gp_pipelines.databases.compatibility.replay import replay
from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.fingerprint import schema_fingerprint
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines.databases.verification import Scratch
from gp_pipelines_tests.databases.compatibility.conftest import MakeShadow
from gp_pipelines_tests.databases.conftest import Live
from gp_pipelines_tests.databases.server import BIN

Changed = Callable[[str], Changes]
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS ships (id serial PRIMARY KEY, kind varchar(9) CHECK (kind IN "
    "('brig', 'sloop')), crew int, half int GENERATED ALWAYS AS (crew / 2) STORED)",
    "CREATE TABLE IF NOT EXISTS schema_migrations (version text)",
    "CREATE OR REPLACE VIEW brigs AS SELECT * FROM ships WHERE kind IN ('brig', 'brigantine')",
    "CREATE OR REPLACE FUNCTION crews() RETURNS bigint LANGUAGE sql AS 'SELECT sum(crew) FROM "
    "ships'",
    "CREATE UNIQUE INDEX IF NOT EXISTS ships_crew ON ships (crew) WHERE kind IN ('brig', 'sloop')",
)
AGAIN = "; ".join(SCHEMA)


def command(statements: str) -> ForeignCommand:
    code = (
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['DATABASE_URL'], autocommit=True) as connection:\n"
        f"    connection.execute({statements!r})\n"
    )
    return ForeignCommand((sys.executable, "-c", code), Path("/"), {}, "DATABASE_URL")


@pytest.fixture(autouse=True)
def ships(live: Live) -> Live:
    live.run(
        *SCHEMA,
        "INSERT INTO schema_migrations VALUES ('1')",
        "INSERT INTO ships (crew) VALUES (12)",
    )
    return live


@pytest.fixture
def changed(live: Live, scratch: Scratch) -> Changed:
    def run(statements: str) -> Changes:
        return changed_by(
            Connector(lambda: live.url, advice=""),
            command(statements),
            scratch=scratch,
            tools=PgTools(BIN.joinpath),
            progress=lambda line: None,
        )

    return run


@pytest.mark.parametrize(
    "statements",
    [
        AGAIN,
        "DROP VIEW brigs; CREATE VIEW brigs AS SELECT * FROM ships "
        "WHERE kind IN ('brig', 'brigantine')",
        "BEGIN; INSERT INTO ships (crew) VALUES (1); CREATE TABLE crew (id int); ROLLBACK",
        "CREATE TEMP TABLE work (id int); INSERT INTO work VALUES (1)",
        "CREATE TABLE IF NOT EXISTS knex_migrations_lock (is_locked int); DROP TABLE "
        "knex_migrations_lock",
    ],
)
def test_a_command_that_changes_nothing_has_nothing_left_to_do(
    changed: Changed, statements: str
) -> None:
    found = changed(statements)
    assert not found, found


@pytest.mark.parametrize(
    ("statements", "object"),
    [
        ("ALTER TABLE ships ADD sails int", "column public.ships.sails"),
        ("CREATE INDEX ON ships (half)", "index public.ships_half_idx"),
        ("COMMENT ON TABLE ships IS 'all'", "comment public.ships"),
        ("ALTER TABLE ships SET (fillfactor = 70)", "relation public.ships"),
        ("GRANT SELECT ON ships TO PUBLIC", "relation public.ships"),
        ("GRANT SELECT (crew) ON ships TO PUBLIC", "column public.ships.crew"),
        ("REVOKE ALL ON FUNCTION crews() FROM PUBLIC", "function public.crews()"),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "default rights app r"),
        ("CREATE SCHEMA dock", "schema dock"),
        ("CREATE STATISTICS dependent ON kind, crew FROM ships", "statistics public.dependent"),
        ("INSERT INTO ships (crew) VALUES (1)", "rows of public.ships"),
    ],
)
def test_whatever_it_changes_is_left_to_do(changed: Changed, statements: str, object: str) -> None:
    found = changed(f"{AGAIN}; {statements}")
    assert object in found.objects
    assert found.versions in (("the schema changes",), ("rows of public.ships",))


def test_migrations_are_named_where_the_tool_keeps_a_table(changed: Changed) -> None:
    found = changed(
        "ALTER TABLE ships ADD a int; INSERT INTO schema_migrations VALUES ('2'), ('3')"
    )
    assert found.versions == ("2", "3")


def test_one_that_moves_rows_only_is_known_by_its_row(changed: Changed) -> None:
    found = changed("UPDATE ships SET crew = 3; INSERT INTO schema_migrations VALUES ('2')")
    assert found == Changes(("2",), ("rows of public.schema_migrations",))


def test_what_fails_on_the_shadow_is_left_to_do(changed: Changed) -> None:
    (version,) = changed("SELECT 1 / 0").versions
    assert version.startswith("unknown: on a shadow, exit code 1")


def test_live_and_shadow_have_one_fingerprint_before_and_after_the_same(
    live: Live, shadow: MakeShadow
) -> None:
    change = (
        "ALTER TABLE ships ADD COLUMN state varchar(4) CHECK (state IN ('sunk', 'lost')), "
        "ALTER crew SET NOT NULL; "
        "CREATE VIEW sunk AS SELECT id FROM ships WHERE state IN ('sunk', 'lost')"
    )
    with shadow() as made:
        with made.database.session() as session:
            before = schema_fingerprint(session)
        assert before == _live(live)
        done = replay(made, command(change), deadline=1e9, progress=lambda line: None)
        assert done.failure is None
        with made.database.session() as session:
            after = schema_fingerprint(session)
    live.run(change)
    assert after == _live(live)
    assert after != before


def _live(live: Live) -> object:
    with Connector(lambda: live.url, advice="").session() as session:
        return schema_fingerprint(session)
