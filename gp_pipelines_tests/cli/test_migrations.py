"""`gp migrations check --sql`: for any database, without services.yaml, with its exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from gp_pipelines.cli.main import app
from gp_pipelines_tests.databases.server import PASSWORD, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its URL, without the password."""
    with running_server() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE missions (id int PRIMARY KEY, title text)")
        host = psycopg.conninfo.conninfo_to_dict(url)["host"]
        yield f"postgresql://postgres@/postgres?host={host}"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of migrations; the working directory has no services.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    made = tmp_path / "migrations"
    made.mkdir()
    return made


def check(directory: Path, url: str, *more: str) -> Result:
    return CliRunner().invoke(
        app, ["migrations", "check", "--sql", str(directory), "--url", url, *more]
    )


def test_a_compatible_migration_is_0_and_nothing_is_left(directory: Path, server: str) -> None:
    (directory / "1.sql").write_text("ALTER TABLE missions ADD COLUMN crew int;")
    done = check(directory, server, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["verdict"] == "compatible"
    assert [path.name for path in directory.parent.iterdir()] == ["migrations"]


def test_a_breaking_one_is_1_with_its_findings(directory: Path, server: str) -> None:
    (directory / "1.sql").write_text("ALTER TABLE missions RENAME COLUMN title TO name;")
    queries = directory.parent / "queries.sql"
    queries.write_text("SELECT title FROM missions WHERE id = $1;")
    done = check(directory, server, "--queries", str(queries), "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["verdict"] == "breaking"
    assert set(report["findings"][0]) == {
        *("severity", "rule", "object", "statement", "breaks", "instead")
    }
    for_people = check(directory, server, "--queries", str(queries))
    assert for_people.exit_code == 1
    assert "Breaks the version that is live" in for_people.stdout


def test_a_password_in_the_url_is_wrong_usage_and_not_repeated(
    directory: Path, server: str
) -> None:
    (directory / "1.sql").write_text("SELECT 1;")
    done = check(directory, server.replace("postgres@", "postgres:open-secret@"), "--json")
    assert done.exit_code == 2
    assert "PGPASSWORD" in done.output
    assert "open-secret" not in done.output


@pytest.mark.parametrize("url", ["no url", "postgresql://postgres:a@b@there/x", "http://there/x"])
def test_a_url_that_is_none_is_wrong_usage(directory: Path, url: str) -> None:
    (directory / "1.sql").write_text("SELECT 1;")
    assert check(directory, url).exit_code == 2


def test_a_wrong_path_is_wrong_usage(directory: Path, server: str) -> None:
    assert check(directory / "nowhere", server).exit_code == 2
    assert check(directory, server).exit_code == 2
    (directory / "1.sql").write_text("SELECT 1;")
    assert check(directory, server, "--queries", str(directory / "none")).exit_code == 2


def test_a_server_that_is_away_is_1(directory: Path) -> None:
    (directory / "1.sql").write_text("SELECT 1;")
    done = check(directory, f"postgresql://postgres@/postgres?host={directory}")
    assert done.exit_code == 1
    assert "does not answer" in done.output
