"""Migrations that the live version does not survive are stopped, on the whole stack."""

from pathlib import Path

import pytest

from gp_pipelines_tests.databases.conftest import Live
from gp_pipelines_tests.e2e.project import Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e-database")

COLUMNS = """
    SELECT array_agg(column_name::text ORDER BY column_name) FROM information_schema.columns
    WHERE table_name = 'missions' AND column_name IN ('title', 'name')
"""


@pytest.fixture(scope="module")
def with_both(project: Project) -> TestedService:
    service = project.service("ship")
    service.release("v1")
    service.release("v2")
    return service


@pytest.fixture
def ship(with_both: TestedService) -> TestedService:
    """v2 is live, v1 is warm. v5 would rename a column that both read."""
    with_both.settle()
    assert with_both.live == "v2"
    return with_both


def columns(service: TestedService) -> object:
    assert service.platform.database
    return Live(service.platform.database.url()).value(COLUMNS)


def rehearsals(service: TestedService) -> list[Path]:
    return list(service.project.home.service(service.name).rehearsals.glob("*"))


def test_a_release_that_breaks_the_live_version_ends_in_the_migrate_step(
    ship: TestedService,
) -> None:
    dagster = ship.dagster
    said = ship.gp("release", "v5")
    assert (said.code, said.object["outcome"]) == (1, "refused")
    assert "column-renamed public.missions.title" in said.object["error"]
    judged = said.object["release"]["judged"]
    assert judged["verdict"] == "breaking"
    rules = {finding["rule"] for finding in judged["findings"]}
    assert {"live-version-fails", "rollback-closed", "column-renamed"} <= rules
    step, _ = dagster.failure(said.object["run_id"])
    assert step == "migrate"
    shown = dagster.metadata(said.object["run_id"], "migrate")
    assert "**Breaks the version that is live**" in shown["findings"]
    assert (ship.live, ship.slots) == ("v2", ["v1", "v2"])
    assert (columns(ship), rehearsals(ship)) == (["title"], [])


def test_the_same_is_said_without_a_release(ship: TestedService) -> None:
    said = ship.project.gp("migrations", "check", ship.name, "v5")
    assert said.code == 1, said.err
    assert said.object["verdict"] == "breaking"
    assert said.object["pending"] == ["0004_mission_name"]
    works = {each["version"]: each["works"] for each in said.object["proved"]}
    assert works == {"v1": False, "v2": False}
    nothing = ship.project.gp("migrations", "check", ship.name, "v2")
    assert (nothing.code, nothing.object["verdict"]) == (0, "compatible")
    assert (columns(ship), rehearsals(ship)) == (["title"], [])


def test_a_person_may_accept_it_and_the_way_back_is_closed_then(ship: TestedService) -> None:
    ship.release("v5", accept_findings="announced downtime")
    assert (ship.live, columns(ship)) == ("v5", ["name"])
    assert ship.ledger[0]["judged"]["accepted"] == "announced downtime"
    shown = ship.shown
    assert shown["rollback"] == "none"
    assert shown["rollback_closed"]["schema"] == "4_mission_name"
    said = ship.gp("rollback", "--now")
    assert said.code == 1
    assert "does not work with the present schema" in said.object["error"]
    assert ship.live == "v5"
