"""One schema has one fingerprint, wherever it is; and another one another."""

import pytest

from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.contract import Schema
from gp_pipelines.databases.fingerprint import schema_fingerprint
from gp_pipelines_tests.databases.conftest import Live, new_database

SCHEMA = (
    "CREATE TYPE mood AS ENUM ('calm', 'mutinous')",
    "CREATE TABLE ships (id serial PRIMARY KEY, name text UNIQUE, mood mood, crew int DEFAULT 3, "
    "rig text)",
    "CREATE VIEW calm AS SELECT name FROM ships WHERE mood = 'calm'",
    "CREATE FUNCTION crews() RETURNS bigint LANGUAGE sql AS 'SELECT sum(crew) FROM ships'",
    "CREATE SEQUENCE numbers",
)


def fingerprint(live: Live) -> Schema:
    with Connector(lambda: live.url, advice="").session() as session:
        return schema_fingerprint(session)


def test_the_order_in_which_things_were_made_does_not_matter(live: Live, production: str) -> None:
    live.run(*SCHEMA)
    other = new_database(production)
    other.run(
        "CREATE SEQUENCE numbers",
        SCHEMA[0],
        "CREATE TABLE ships (id serial PRIMARY KEY, gone int, name text, mood mood, crew int, "
        "rig text)",
        "ALTER TABLE ships DROP COLUMN gone, ALTER crew SET DEFAULT 3, ADD UNIQUE (name)",
        SCHEMA[3],
        SCHEMA[2],
    )
    assert fingerprint(other) == fingerprint(live)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE ships ADD COLUMN sails int",
        "ALTER TABLE ships DROP COLUMN crew",
        "ALTER TABLE ships ALTER crew TYPE bigint",
        "ALTER TABLE ships ALTER crew SET DEFAULT 4",
        "ALTER TABLE ships ALTER crew DROP DEFAULT",
        "ALTER TABLE ships ALTER crew SET NOT NULL",
        'ALTER TABLE ships ALTER rig TYPE text COLLATE "C"',
        "ALTER TABLE ships ADD CHECK (crew > 0)",
        "ALTER TABLE ships ADD CHECK (crew > 0) NOT VALID",
        "ALTER TABLE ships DROP CONSTRAINT ships_name_key",
        "ALTER TABLE ships RENAME COLUMN crew TO mates",
        "ALTER TABLE ships ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE ships ADD half int GENERATED ALWAYS AS (crew / 2) STORED",
        "CREATE UNIQUE INDEX ON ships (crew)",
        "CREATE OR REPLACE VIEW calm AS SELECT name FROM ships",
        "ALTER VIEW calm SET (security_invoker = true)",
        "CREATE OR REPLACE FUNCTION crews() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        "ALTER FUNCTION crews() SECURITY DEFINER",
        "CREATE TRIGGER same BEFORE UPDATE ON ships FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE RULE none AS ON DELETE TO ships DO INSTEAD NOTHING",
        "CREATE POLICY mine ON ships USING (true)",
        "ALTER TYPE mood ADD VALUE 'asleep'",
        "CREATE DOMAIN knots AS int CHECK (VALUE >= 0)",
        "ALTER SEQUENCE numbers INCREMENT 5",
        "DROP SEQUENCE numbers",
        "CREATE TABLE crew (id int)",
    ],
)
def test_another_schema_has_another(live: Live, change: str) -> None:
    live.run(*SCHEMA)
    before = fingerprint(live)
    live.run(change)
    after = fingerprint(live)
    assert after.fingerprint != before.fingerprint
    assert after.name == f"schema {after.fingerprint[:8]}"


def test_what_changes_while_a_version_runs_does_not_matter(live: Live) -> None:
    live.run(*SCHEMA, "CREATE TABLE log (at date, line text) PARTITION BY RANGE (at)")
    before = fingerprint(live)
    live.run(
        "INSERT INTO ships (name) SELECT 'ship ' || n FROM generate_series(1, 100) n",
        "ANALYZE",
        "CREATE INDEX ON ships (crew)",
        "CREATE TABLE log_2026 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        'GRANT SELECT ON ships TO "Read-only ""people"""',
        "ALTER TABLE ships SET (fillfactor = 70)",
        "SELECT nextval('numbers')",
    )
    assert fingerprint(live) == before


def test_the_newest_row_of_a_migration_tool_names_it_and_counts(live: Live) -> None:
    live.run(
        "CREATE TABLE django_migrations (id serial PRIMARY KEY, app text, name text, applied date)",
        "INSERT INTO django_migrations (app, name) VALUES ('crew', '0001_initial'), "
        "('missions', '0001_initial')",
    )
    before = fingerprint(live)
    assert before.name == "missions.0001_initial"
    live.run("UPDATE django_migrations SET applied = now()")
    assert fingerprint(live) == before
    live.run("INSERT INTO django_migrations (app, name) VALUES ('crew', '0002_only_data')")
    after = fingerprint(live)
    assert after.name == "crew.0002_only_data"
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("tables", "name"),
    [
        (
            "CREATE TABLE alembic_version (version_num text); "
            "INSERT INTO alembic_version VALUES ('ae1027a6acf')",
            "alembic ae1027a6acf",
        ),
        (
            "CREATE TABLE flyway_schema_history (installed_rank int, version text, "
            "description text, success bool); INSERT INTO flyway_schema_history VALUES "
            "(2, NULL, 'views', true), (1, '1', 'crew', true), (3, '9', 'half', false)",
            "views",
        ),
        (
            "CREATE TABLE migrations (id int, migration text, batch int); "
            "INSERT INTO migrations VALUES (1, '2014_users', 1)",
            "2014_users",
        ),
    ],
)
def test_each_tool_has_a_table_of_its_own(live: Live, tables: str, name: str) -> None:
    live.run(tables)
    assert fingerprint(live).name == name


def test_a_table_that_only_has_the_name_of_a_tools_is_none(live: Live) -> None:
    live.run("CREATE TABLE migrations (bird text)", "INSERT INTO migrations VALUES ('tern')")
    assert fingerprint(live).name.startswith("schema ")


def test_a_role_that_may_not_read_a_tools_table_still_knows_the_schema(
    live: Live, production: str
) -> None:
    live.run("CREATE TABLE schema_migrations (version text)", "CREATE TABLE ships (id int)")
    with Connector(lambda: live.url, advice="").session() as session:
        session.execute("REVOKE ALL ON schema_migrations FROM app")
        assert schema_fingerprint(session).name.startswith("schema ")
