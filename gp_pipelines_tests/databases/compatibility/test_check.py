"""The check as a whole, where the corpus does not go: commands, errors, sources of queries."""

import json
import sys
from pathlib import Path

import psycopg
import pytest

from gp_pipelines.databases.compatibility import old_queries
from gp_pipelines.databases.compatibility.finding import Verdict
from gp_pipelines.databases.compatibility.migrations import ForeignCommand, sql_files
from gp_pipelines.databases.compatibility.old_queries import OldQueries, from_file
from gp_pipelines.errors import ConfigInvalid, Refused
from gp_pipelines_tests.databases.compatibility.conftest import Check
from gp_pipelines_tests.databases.conftest import Live


@pytest.fixture(autouse=True)
def _missions(live: Live) -> None:
    live.run(
        "CREATE TABLE missions (id int PRIMARY KEY, title text, crew int)",
        "INSERT INTO missions VALUES (1, 'Apollo', 3)",
    )


def test_the_live_database_is_as_it_was(live: Live, checked: Check) -> None:
    contents = "SELECT string_agg(m::text, ' ') FROM missions m"
    catalogue = "SELECT sum(hashtext(c::text)) FROM pg_class c"
    before = live.value(contents), live.value(catalogue)
    checked("ALTER TABLE missions DROP COLUMN crew; DELETE FROM missions;")
    assert (live.value(contents), live.value(catalogue)) == before


def test_a_finding_names_the_statement_also_one_within_a_do_block(checked: Check) -> None:
    report = checked(
        "ALTER TABLE missions ADD COLUMN a int;\n"
        "DO $$ BEGIN EXECUTE format('ALTER TABLE %I DROP COLUMN %I', 'missions', 'crew'); END $$;"
    )
    (finding,) = [each for each in report.findings if each.rule == "column-dropped"]
    assert finding.object == "public.missions.crew"
    assert finding.statement == "ALTER TABLE missions DROP COLUMN crew"
    assert finding.instead


def test_a_foreign_command_is_judged_as_files_are(checked: Check, live: Live) -> None:
    code = (
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['DATABASE_URL']) as c:\n"
        "    c.execute('ALTER TABLE missions RENAME COLUMN crew TO people')\n"
    )
    command = ForeignCommand((sys.executable, "-c", code), Path("/"), {}, "DATABASE_URL")
    queries = OldQueries.of(("SELECT crew FROM missions",), complete=True)
    report = checked(command, queries=queries)
    assert report.verdict is Verdict.BREAKING
    assert {each.rule for each in report.findings} >= {"query-fails", "column-renamed"}
    (renamed,) = [each for each in report.findings if each.rule == "column-renamed"]
    assert renamed.statement == "ALTER TABLE missions RENAME COLUMN crew TO people"
    assert live.value("SELECT count(crew) FROM missions") == 1


def test_a_command_that_changes_nothing_has_no_findings(checked: Check) -> None:
    command = ForeignCommand((sys.executable, "-c", ""), Path("/"), {}, "DATABASE_URL")
    assert checked(command).findings == ()


def test_a_migration_that_fails_is_breaking_and_named(checked: Check) -> None:
    report = checked("ALTER TABLE missions ADD COLUMN title text")
    assert report.verdict is Verdict.BREAKING
    (finding,) = [each for each in report.findings if each.rule == "does-not-apply"]
    assert "already exists" in finding.breaks


def test_a_query_that_never_worked_is_a_note(checked: Check) -> None:
    queries = OldQueries.of(("SELECT nothing FROM missions",), complete=True)
    report = checked("CREATE TABLE crew (id int)", queries=queries)
    assert report.verdict is Verdict.COMPATIBLE
    assert "query-not-tried" in {each.rule for each in report.findings}


def test_what_may_reach_another_server_is_not_tried(
    checked: Check, live: Live, production: str
) -> None:
    database = psycopg.conninfo.conninfo_to_dict(live.url)["dbname"]
    url = psycopg.conninfo.make_conninfo(production, dbname=database)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION postgres_fdw")
        connection.execute("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO app")
    report = checked(
        "CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'there');"
        "CREATE USER MAPPING FOR app SERVER other OPTIONS (password 'hidden');"
    )
    assert report.verdict is Verdict.NEEDS_APPROVAL
    assert "not-tried" in {each.rule for each in report.findings}
    assert "hidden" not in report.as_markdown()


def test_many_queries_are_tried_as_a_few_are(checked: Check) -> None:
    many = tuple(f"SELECT title FROM missions WHERE id = $1 AND crew > {n}" for n in range(40))
    queries = OldQueries.of(many, complete=True)
    assert checked("ALTER TABLE missions ADD COLUMN a int", queries=queries).verdict is (
        Verdict.COMPATIBLE
    )
    broken = checked("ALTER TABLE missions ALTER COLUMN title TYPE varchar", queries=queries)
    assert [each.rule for each in broken.findings].count("query-fails-in-open-sessions") == 40


def test_an_unknown_role_is_refused_before_anything_is_started(checked: Check) -> None:
    with pytest.raises(Refused, match="no role nobody"):
        checked("SELECT 1", role="nobody")


def test_queries_run_as_the_role_that_is_named(checked: Check, live: Live, production: str) -> None:
    live.run('GRANT SELECT ON missions TO "Read-only ""people"""')
    queries = OldQueries.of(("SELECT title FROM missions",), complete=True)
    migration = 'REVOKE ALL ON missions FROM "Read-only ""people"""'
    report = checked(migration, queries=queries, role='Read-only "people"')
    assert report.verdict is Verdict.BREAKING
    assert checked(migration, queries=queries).verdict is Verdict.COMPATIBLE


def test_what_the_server_has_seen_of_a_role_is_known_where_it_notes_that(
    live: Live, shadow_server: str
) -> None:
    with psycopg.connect(live.url) as session:
        assert old_queries.seen_by_server(session, "app") == old_queries.UNKNOWN
    with psycopg.connect(shadow_server, autocommit=True) as session:
        session.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        session.execute("SELECT 'seen', %s", [psycopg.sql.Literal(1).as_string()])
        found = old_queries.seen_by_server(session, "postgres")
        assert "SELECT $2, $1" in found.statements
        assert not found.complete
        assert old_queries.seen_by_server(session, "nobody").statements == ()


def test_queries_come_from_a_list_or_from_sqlx(tmp_path: Path) -> None:
    (tmp_path / "queries.sql").write_text("BEGIN; SELECT ';' FROM a;\n-- next\nDELETE FROM b;")
    assert from_file(tmp_path / "queries.sql").statements == (
        "SELECT ';' FROM a",
        "-- next\nDELETE FROM b",
    )
    folder = tmp_path / ".sqlx"
    folder.mkdir()
    (folder / "query-1.json").write_text(json.dumps({"query": "SELECT $1", "db_name": "x"}))
    assert from_file(folder).statements == ("SELECT $1",)


@pytest.mark.parametrize("content", ["", "-- nothing\n;"])
def test_a_list_without_queries_is_wrong_usage(tmp_path: Path, content: str) -> None:
    (tmp_path / "queries.sql").write_text(content)
    with pytest.raises(ConfigInvalid, match="no query"):
        from_file(tmp_path / "queries.sql")


def test_files_are_taken_in_name_order_and_ways_back_are_not(tmp_path: Path) -> None:
    for name in ("2_b.sql", "1_a.up.sql", "1_a.down.sql", "10_c.sql", "README.md"):
        (tmp_path / name).write_text("SELECT 1")
    assert [each.name for each in sql_files(tmp_path)] == ["10_c.sql", "1_a.up.sql", "2_b.sql"]


def test_a_directory_without_files_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"no \.sql file"):
        sql_files(tmp_path)
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        sql_files(tmp_path / "nowhere")
