"""The shadow is like the live database in all that a schema is, and the live one is only read."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from gp_pipelines.databases.compatibility import shadow as shadow_module
from gp_pipelines.databases.compatibility.finding import Severity
from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS, read_only, shadow_of
from gp_pipelines.databases.connection import Connector, Session
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.targets.local.postgres_scratch import scratch
from gp_pipelines_tests.databases.compatibility.conftest import MakeShadow
from gp_pipelines_tests.databases.conftest import PASSWORD, Live
from gp_pipelines_tests.databases.server import BIN
from gp_pipelines_tests.targets.local.running_postgres import removed_at_the_end


def ask(session: Session, query: str) -> object:
    row = session.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_schema_owners_and_grants_are_there(live: Live, shadow: MakeShadow) -> None:
    live.run(
        "CREATE SCHEMA space",
        "CREATE TABLE space.missions (id int PRIMARY KEY, title text CHECK (title <> ''))",
        'GRANT SELECT ON space.missions TO "Read-only ""people"""',
    )
    people = "'Read-only \"people\"'"
    with shadow() as made, made.database.session() as session:
        query = "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'missions'"
        assert ask(session, query) == "app"
        may = f"SELECT has_table_privilege({people}, 'space.missions', '%s')"
        assert ask(session, may % "SELECT") is True
        assert ask(session, may % "INSERT") is False
        checks = "SELECT count(*) FROM pg_constraint WHERE conname = 'missions_title_check'"
        assert ask(session, checks) == 1


def test_rows_are_left_where_they_are_but_for_those_of_migration_tools(
    live: Live, shadow: MakeShadow
) -> None:
    live.run(
        "CREATE TABLE secrets (value text)",
        "INSERT INTO secrets VALUES ('hidden')",
        "CREATE TABLE django_migrations (id serial PRIMARY KEY, name text)",
        "INSERT INTO django_migrations (name) VALUES ('0001_initial'), ('0002_more')",
    )
    with shadow() as made, made.as_role("app").session() as session:
        assert ask(session, "SELECT count(*) FROM secrets") == 0
        assert ask(session, "SELECT string_agg(name, ' ') FROM django_migrations") == (
            "0001_initial 0002_more"
        )
        assert ask(session, "INSERT INTO django_migrations DEFAULT VALUES RETURNING id") == 3


def test_a_role_begins_with_its_own_settings_and_is_no_more_than_it_is(
    live: Live, shadow: MakeShadow, production: str
) -> None:
    live.run("CREATE SCHEMA space")
    with psycopg.connect(production, autocommit=True) as connection:
        database = psycopg.conninfo.conninfo_to_dict(live.url)["dbname"]
        connection.execute(
            f"ALTER ROLE app IN DATABASE {database} SET search_path = space, public".encode()
        )
    with shadow() as made, made.as_role("app").session() as session:
        assert ask(session, "SHOW search_path") == "space, public"
        assert ask(session, "SELECT current_user") == "app"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("CREATE ROLE another")


def test_the_live_servers_passwords_are_not_on_the_shadow(shadow: MakeShadow) -> None:
    with shadow() as made:
        url = psycopg.conninfo.make_conninfo(made.as_role("app").url(), password=PASSWORD)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url)


def test_two_checks_on_one_server_take_turns(shadow: MakeShadow) -> None:
    ended: list[str] = []

    def another() -> None:
        with shadow():
            ended.append("the other")

    with ThreadPoolExecutor(1) as pool:
        with shadow() as made:
            waiting = pool.submit(another)
            time.sleep(1)
            with made.database.session() as session:
                assert ask(session, "SELECT current_database()") == "gp_shadow"
            ended.append("the first")
        waiting.result(60)
    assert ended == ["the first", "the other"]


def test_programs_are_given_a_port_where_the_server_has_one(
    live: Live, tmp_path: Path, shadow: MakeShadow
) -> None:
    """Of a socket only as many of them make something as know what `?host=` means."""
    with shadow() as on_a_socket:
        assert "@/gp_shadow?host=" in on_a_socket.uri(on_a_socket.role)
    with (
        removed_at_the_end(tmp_path / "var") as home,
        shadow_of(
            Connector(lambda: live.url, advice=""),
            scratch=lambda: scratch(home, SERVER_SETTINGS, for_programs=True),
            tools=PgTools(BIN.joinpath),
            deadline=time.monotonic() + 60,
            progress=lambda line: None,
        ) as made,
    ):
        uri = made.uri("app")
        assert uri.startswith("postgresql://app:")
        assert uri.endswith(f"@127.0.0.1:{made.port}/gp_shadow")
        with psycopg.connect(uri) as connection:
            assert connection.info.user == "app"


def test_nothing_can_be_written_to_the_live_database(live: Live) -> None:
    live.run("CREATE TABLE missions (id int)")
    with (
        pytest.raises(StepFailed, match="read-only transaction"),
        read_only(Connector(lambda: live.url, advice="")) as session,
    ):
        session.execute("INSERT INTO missions VALUES (1)")
    assert live.value("SELECT count(*) FROM missions") == 0


def test_the_dump_reads_only(
    live: Live, shadow: MakeShadow, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    dump = PgTools.dump_schema

    def noted(self: PgTools, *arguments: object, **options: object) -> None:
        asked.append(options["environment"])
        dump(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(PgTools, "dump_schema", noted)
    with shadow():
        pass
    assert asked[0]["PGOPTIONS"] == "-c default_transaction_read_only=on"  # type: ignore[index]


def test_a_newer_server_than_ours_is_refused(
    shadow: MakeShadow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PgTools, "major", lambda self: 17)
    with pytest.raises(Refused, match="version 18, and the shadow would be of version 17"):
        shadow().__enter__()


def test_an_older_server_is_checked_with_a_note(
    live: Live, shadow: MakeShadow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_another(_live: Session, _shadow: Session) -> list[object]:
        class Older:
            class info:
                server_version = 160004

        return list(found(Older, _shadow))  # type: ignore[arg-type]

    found = shadow_module._of_another_version
    monkeypatch.setattr(shadow_module, "_of_another_version", of_another)
    with shadow() as made:
        assert [(each.severity, each.rule) for each in made.notes] == [
            (Severity.NOTE, "shadow-version")
        ]


def test_an_unknown_role_is_refused(shadow: MakeShadow) -> None:
    with shadow() as made, pytest.raises(Refused, match="no role nobody"):
        made.as_role("nobody")


def test_nothing_of_the_shadow_is_left(live: Live, shadow: MakeShadow, shadow_server: str) -> None:
    live.run("CREATE TABLE missions (id int)")
    with shadow():
        pass
    with psycopg.connect(shadow_server) as connection:
        query = "SELECT count(*) FROM pg_database WHERE datname = 'gp_shadow'"
        assert ask(connection, query) == 0


def test_what_cannot_be_loaded_needs_a_person(live: Live, shadow: MakeShadow) -> None:
    live.run("CREATE TABLE missions (id int)")

    def failing(self: PgTools, *arguments: object, **options: object) -> tuple[str, ...]:
        return ('extension "postgis" is not available',)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PgTools, "load_script", failing)
        with shadow() as made:
            (note,) = made.notes
    assert note.severity is Severity.APPROVAL
    assert "postgis" in note.breaks


def test_foreign_servers_are_out_of_reach(production: str, shadow: MakeShadow, live: Live) -> None:
    url = psycopg.conninfo.make_conninfo(
        production, dbname=psycopg.conninfo.conninfo_to_dict(live.url)["dbname"]
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE EXTENSION postgres_fdw;"
            "CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'there');"
            "CREATE USER MAPPING FOR app SERVER other OPTIONS (password 'hidden')"
        )
    with shadow() as made, made.database.session() as session:
        assert ask(session, "SELECT count(*) FROM pg_foreign_server") == 1
        assert ask(session, "SELECT count(*) FROM pg_user_mappings") == 0


def test_a_storage_setting_that_is_unknown_here_is_nothing_that_a_query_sees(
    live: Live, shadow: MakeShadow, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = PgTools.dump_schema

    def with_a_setting(self: PgTools, into: Path, **options: object) -> None:
        dump(self, into, **options)  # type: ignore[arg-type]
        with into.open("a") as script:
            script.write("ALTER TABLE public.missions ALTER COLUMN id SET (vendors_own = 1);\n")

    live.run("CREATE TABLE missions (id int)")
    monkeypatch.setattr(PgTools, "dump_schema", with_a_setting)
    with shadow() as made:
        assert made.notes == ()
