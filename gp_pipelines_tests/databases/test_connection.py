"""Connecting and naming the database without giving its password away."""

from collections.abc import Callable

import pytest

from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.postgres import PostgresDatabase
from gp_pipelines.errors import ConfigInvalid, StepFailed, TargetUnavailable
from gp_pipelines_tests.databases.conftest import PASSWORD, Live


def connector(url: str) -> Connector:
    return Connector(lambda: url, advice="Start it.")


def test_a_database_that_is_up(database: Callable[..., PostgresDatabase]) -> None:
    database().require_up()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgresql://app:hidden@127.0.0.1:1/missions", "127.0.0.1:1/missions"),
        ("postgresql://app:hidden@/missions?host=/nowhere", "/nowhere:5432/missions"),
        ("host=127.0.0.1 port=1 dbname=missions password=hidden", "127.0.0.1:1/missions"),
    ],
)
def test_a_database_that_is_down_is_named_with_what_to_do(
    database: Callable[..., PostgresDatabase], url: str, named: str
) -> None:
    with pytest.raises(TargetUnavailable) as unavailable:
        database(url=url).require_up()
    assert named in unavailable.value.what
    assert "gp up" in unavailable.value.advice
    assert "hidden" not in str(unavailable.value)


def test_a_wrong_password_is_not_repeated(live: Live) -> None:
    url = live.url.replace("app:", "app:not-the-")
    with pytest.raises(TargetUnavailable) as unavailable, connector(url).session():
        pass
    assert "authentication" in unavailable.value.what
    assert "not-the-" not in str(unavailable.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:hid@den@host/missions",  # what is not percent-encoded ends up in the host
        "postgresql://app:hid/den@host/missions",  # in the port
        "postgresql://:/hid:den@host/missions",  # in the name of the database
        "mysql://app:hidden@host/missions",
        "hidden",
    ],
)
def test_a_url_that_is_none_is_refused_without_quoting_it(url: str) -> None:
    for use in (lambda: connector(url).session().__enter__(), connector(url).describe):
        with pytest.raises(ConfigInvalid, match="percent-encoded") as invalid:
            use()
        assert "hid" not in str(invalid.value)
        assert "den" not in str(invalid.value)


def test_what_postgresql_refuses_is_a_failed_step_with_its_reason(live: Live) -> None:
    with (
        pytest.raises(StepFailed, match='relation "nowhere" does not exist'),
        connector(live.url).session() as session,
    ):
        session.execute("SELECT FROM nowhere")


def test_a_server_that_goes_away_is_unavailable(live: Live) -> None:
    with (
        pytest.raises(TargetUnavailable),
        connector(live.url).session() as session,
    ):
        session.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_defaults_of_the_role_do_not_end_a_long_dump(live: Live) -> None:
    url = live.url + "&options=-c%20statement_timeout%3D500ms%20-c%20search_path%3Dx"
    with connector(url).session() as session:
        assert session.execute("SHOW statement_timeout").fetchone() == ("0",)
        assert session.execute("SHOW search_path").fetchone() == ("x",)  # the URL's others count


def test_tools_get_the_connection_by_their_environment(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMEBODYS_SECRET", "1")
    link = connector(live.url)
    with link.session() as session:
        environment = link.environment(session, "gp-test")
    assert environment["PGPASSWORD"] == PASSWORD
    assert environment["PGUSER"] == "app"
    assert environment["PGAPPNAME"] == "gp-test"
    assert "SOMEBODYS_SECRET" not in environment
