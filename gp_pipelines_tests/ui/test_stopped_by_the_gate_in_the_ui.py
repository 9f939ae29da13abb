"""A release that would break what is live, as somebody sees it who has nothing but a browser."""

import pytest
from playwright.sync_api import expect

from gp_pipelines_tests.demo.project import DemoProject
from gp_pipelines_tests.ui.conftest import SERVICE
from gp_pipelines_tests.ui.dagster_ui import DagsterUi
from gp_pipelines_tests.ui.pictures import take_picture

pytestmark = [pytest.mark.xdist_group("ui"), pytest.mark.timeout(400)]


def test_the_run_says_what_would_break_and_how_it_is_done_instead(
    ui: DagsterUi, project: DemoProject
) -> None:
    before = project.gp("status", SERVICE)[1]["services"][0]["live"]
    ui.open_launchpad("release")
    ui.scaffold()
    ui.fill("version", "v5")
    ui.launch()
    assert ui.see_end_of_run() == "Failure"
    ui.show_why_it_failed()
    column = ui.page.get_by_text("breaking: column-renamed public.missions.title")
    expect(column.first).to_be_visible()
    ui.page.get_by_text("[Show Markdown]").first.click()
    expect(ui.page.get_by_text("Breaks the version that is live")).to_be_visible()
    expect(ui.page.get_by_text("Add a column, keep both filled").first).to_be_visible()
    take_picture(ui.page, "gate")
    assert project.gp("status", SERVICE)[1]["services"][0]["live"] == before
