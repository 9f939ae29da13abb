"""What stands behind a service's contracts: its own database, or the one that it brings."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gp_pipelines.databases import location
from gp_pipelines.databases.contract import Database
from gp_pipelines.databases.location import Location
from gp_pipelines.errors import ConfigInvalid
from gp_pipelines.services import SecretSource
from gp_pipelines.targets.local.home import Home
from gp_pipelines.wiring import Platforms
from gp_pipelines_tests.targets.local.project import Project, database
from gp_pipelines_tests.targets.local.running_postgres import removed_at_the_end, start


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def home(project: Project) -> Iterator[Home]:
    with removed_at_the_end(project.home.root) as home:
        yield home


def test_an_embedded_database_is_backed_up_and_proved_on_a_scratch_server(
    project: Project, home: Home
) -> None:
    start(home).ensure_database("api")
    project.have("api", database=database())
    api = _database(project)
    with psycopg.connect(api.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE missions AS SELECT generate_series(1, 321) AS id")
    backup = api.backup("release-1", project.say, 60)
    assert backup.verified
    assert backup.rows == {"public.missions": 321}
    assert Path(backup.location).is_relative_to(home.backups("api"))
    assert list((home.postgres / "scratch").iterdir()) == []


def test_a_database_of_ones_own_is_the_one_in_its_variable(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.have("api", database=database({"env": "API_DATABASE_URL"}))
    api = _database(project)
    monkeypatch.delenv("API_DATABASE_URL", raising=False)
    with pytest.raises(ConfigInvalid, match=r"api's database URL .* API_DATABASE_URL, which"):
        api.url()
    monkeypatch.setenv("API_DATABASE_URL", "postgresql://me:secret@db.internal/api")
    assert api.url() == "postgresql://me:secret@db.internal/api"


def test_the_database_is_the_restored_one_from_the_pointer_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.have("api", database=database({"env": "API_DATABASE_URL"}))
    monkeypatch.setenv("API_DATABASE_URL", "postgresql://me:secret@db.internal/api?sslmode=require")
    platform = Platforms(project.services, project.home)["api"]
    assert platform.database
    restored = Location("api_restored_1", "2026-02-03T04:05:06+00:00", "backup-1")
    location.moved(platform.target.ledger, restored)
    assert location.found(platform.target.ledger) == restored
    assert (
        platform.database.url()
        == _database(project).url()
        == "postgresql://me:secret@db.internal/api_restored_1?sslmode=require"
    )


def test_a_secret_is_the_one_in_its_variable(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.have("api", secrets={"TOKEN": {"env": "API_TOKEN"}})
    platform = Platforms(project.services, project.home)["api"]
    source = SecretSource(env="API_TOKEN")
    monkeypatch.delenv("API_TOKEN", raising=False)
    with pytest.raises(ConfigInvalid, match=r"api's secret TOKEN .* API_TOKEN, which is not set"):
        platform.read_secret("TOKEN", source)
    monkeypatch.setenv("API_TOKEN", "s3cret")
    assert platform.read_secret("TOKEN", source) == "s3cret"


def test_opening_a_service_touches_nothing(project: Project) -> None:
    project.have("api", database=database())
    assert Platforms(project.services, project.home)["api"].database is not None
    assert not project.home.root.exists()


def test_the_inbox_of_alerts_is_made_when_it_is_first_used(project: Project) -> None:
    project.have("api")
    inbox = Platforms(project.services, project.home).inbox
    assert not project.home.root.exists()
    assert inbox.firing("api") == ()
    assert project.home.inbox.exists()


def _database(project: Project) -> Database:
    found = Platforms(project.services, project.home)["api"].database
    assert found is not None
    return found
