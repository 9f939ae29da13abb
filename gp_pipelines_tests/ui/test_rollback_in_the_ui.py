"""A bad version is live, and whoever sees that has nothing but a browser."""

import pytest
from playwright.sync_api import expect

from gp_pipelines_tests.demo.project import DemoProject
from gp_pipelines_tests.ui.conftest import SERVICE
from gp_pipelines_tests.ui.dagster_ui import DagsterUi
from gp_pipelines_tests.ui.pictures import take_picture

pytestmark = [pytest.mark.xdist_group("ui"), pytest.mark.timeout(400)]


@pytest.fixture
def release_id(project: DemoProject) -> str:
    """Of v2, which is live, after v1."""
    _, status = project.gp("status", SERVICE)
    live = status["services"][0]["live"]
    if live["version"] == "v2":  # another test has released it
        return str(live["release_id"])
    code, said = project.gp("release", SERVICE, "v2")
    assert code == 0, said
    return str(said["release_id"])


def test_a_rollback_is_filled_in_launched_and_leads_to_the_release_that_it_undid(
    release_id: str, ui: DagsterUi, project: DemoProject
) -> None:
    ui.open_launchpad("rollback")
    form = ui.scaffold()
    assert f"service: '{SERVICE}'" in form
    ui.fill("reason", "the shop is empty")
    run_id = ui.launch()
    assert ui.see_end_of_run() == "Success"
    expect(ui.page.get_by_text("Succeeded (5)")).to_be_visible()
    ui.show_what_the_steps_found()
    expect(ui.page.get_by_role("cell", name="goes back to")).to_be_visible()
    expect(ui.page.get_by_role("link", name=release_id[:8]).first).to_be_visible()

    ui.open_history(SERVICE, "live")
    expect(ui.page.get_by_text("rollback: v2 (#2, green) → v1 (#1, blue)")).to_be_visible()
    expect(ui.page.get_by_text("the shop is empty")).to_be_visible()
    expect(ui.page.get_by_role("link", name=run_id[:8]).first).to_be_visible()
    take_picture(ui.page, "rollback")

    _, status = project.gp("status", SERVICE)
    assert status["services"][0]["live"]["version"] == "v1"
