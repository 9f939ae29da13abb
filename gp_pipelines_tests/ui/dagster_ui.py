"""Dagster's pages as a person uses them: by what is written on them."""

import re

from playwright.sync_api import Page, expect

RUN_MS = 120_000  # a release with a build, on a busy machine
ENDED = re.compile(r"^(Success|Failure|Canceled)$")


class DagsterUi:
    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url

    def open_launchpad(self, job: str) -> None:
        self.page.goto(f"{self._url}/locations/gp_pipelines/jobs/{job}/playground")

    def scaffold(self) -> str:
        """Let Dagster write what is missing into the form. Returns all of it."""
        self.page.get_by_role("button", name="Scaffold missing config").click()
        self.page.get_by_role("button", name="Confirm").click()
        expect(self.page.get_by_text("No missing config")).to_be_visible()
        return "\n".join(self.page.locator(".CodeMirror-line").all_inner_texts())

    def fill(self, field: str, value: str) -> None:
        """Write `value` over what the form has for `field`."""
        self.page.locator(".CodeMirror-line", has_text=f"{field}:").click()
        self.page.keyboard.press("End")
        self.page.keyboard.press("Shift+Home")
        self.page.keyboard.type(f"{field}: {value}")
        self.page.keyboard.press("Escape")  # the completions that it offers
        expect(self.page.get_by_text("No errors")).to_be_visible()

    def launch(self) -> str:
        """The id of the new run, whose page is open then."""
        self.page.get_by_role("button", name="Launch Run").click()
        self.page.wait_for_url("**/runs/*")
        return self.page.url.rpartition("/")[2]

    def see_end_of_run(self) -> str:
        """Wait, as a person does, until the page of the run says how it has ended."""
        end = self.page.get_by_text(ENDED).locator("visible=true").first
        expect(end).to_be_visible(timeout=RUN_MS)
        return end.inner_text()

    def show_what_the_steps_found(self) -> None:
        """Of the events of the run whose page is open."""
        self.page.get_by_placeholder("Filter…").fill("type:STEP_OUTPUT")

    def show_why_it_failed(self) -> None:
        """Of the events of the run whose page is open."""
        self.page.get_by_placeholder("Filter…").fill("type:STEP_FAILURE")

    def open_history(self, *asset: str) -> None:
        """The page of an asset, as one gets there from the catalog: its newest event is shown."""
        self.page.goto(f"{self._url}/assets/{'/'.join(asset)}")
        self.page.get_by_role("tab", name="Events").click()
