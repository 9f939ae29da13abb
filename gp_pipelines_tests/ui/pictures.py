"""The README's screenshots, made by the test that walks through the UI, when somebody asks.

`SCREENSHOTS=1 .venv/bin/pytest gp_pipelines_tests/ui` writes them to docs/images/.
"""

import os
from pathlib import Path

from playwright.sync_api import Page

DIRECTORY = Path(__file__).parents[2] / "docs" / "images"
SETTLED_MS = 1500  # what is drawn after the text is there: lines, spinners


def take_picture(page: Page, name: str) -> None:
    """Nothing, unless `SCREENSHOTS` is set."""
    if os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(SETTLED_MS)
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=DIRECTORY / f"{name}.png")
