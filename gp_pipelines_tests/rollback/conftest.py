from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gp_pipelines.model import Slot
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.programs import Release, TinyDatabase
from gp_pipelines_tests.faults.story import Story, telling


@pytest.fixture
def story() -> Iterator[Story]:
    with telling() as story:
        yield story


@dataclass(frozen=True)
class Gone:
    """A release that has gone bad after its switch, and what was live before."""

    release: Release
    bad: Slot
    old: Slot


@pytest.fixture
def gone(story: Story) -> Gone:
    """Version 2 is live, and bad; version 1 is warm."""
    story.release("1")
    old = story.live
    release = story.release("2")
    return Gone(release, story.live, old)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> TinyDatabase:
    database = TinyDatabase()
    monkeypatch.setattr(programs, "DATABASE", database)
    return database
