"""The way of a person who has nothing but a browser."""

import pytest
from playwright.sync_api import expect

from gp_pipelines_tests.demo.project import DemoProject
from gp_pipelines_tests.ui.conftest import SERVICE
from gp_pipelines_tests.ui.dagster_ui import DagsterUi
from gp_pipelines_tests.ui.pictures import take_picture

pytestmark = [pytest.mark.xdist_group("ui"), pytest.mark.timeout(400)]
FIELDS = ("service", "version", "redeploy", "allow_downgrade", "manual")


def test_a_release_is_filled_in_launched_and_found_in_the_history(
    ui: DagsterUi, project: DemoProject
) -> None:
    ui.open_launchpad("release")
    form = ui.scaffold()
    assert [field for field in FIELDS if f"{field}: " not in form] == []
    assert f"service: '{SERVICE}'" in form  # the only one there is

    ui.fill("version", "v2")
    take_picture(ui.page, "launchpad")
    run_id = ui.launch()
    assert ui.see_end_of_run() == "Success"
    expect(ui.page.get_by_text("Succeeded (8)")).to_be_visible()
    ui.show_what_the_steps_found()
    expect(ui.page.get_by_role("cell", name="requests lost")).to_be_visible()
    take_picture(ui.page, "release")

    ui.open_history(SERVICE, "live")
    expect(ui.page.get_by_text("switch: v1 (#1, blue) → v2 (#2, green)")).to_be_visible()
    expect(ui.page.get_by_role("link", name=run_id[:8]).first).to_be_visible()
    take_picture(ui.page, "history")

    _, status = project.gp("status", SERVICE)
    live = status["services"][0]["live"]
    assert (live["version"], live["release_id"]) == ("v2", run_id)
