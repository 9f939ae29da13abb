"""The webhook's second task: it looks for as long as the webhook runs, whatever it sees."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from gp_pipelines.cli import vigil as vigil_module
from gp_pipelines.cli.vigil import VigilMetrics, tell_people, watching
from gp_pipelines.rollback.vigil import Change
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.notifications.receiver import Receiver

CHANGE = Change("api", "Dagster's sensor daemon is silent")


class ScriptedVigil:
    """`looks` one after the other: an error, or what changed."""

    def __init__(self, *looks: Exception | list[Change]) -> None:
        self.looks = list(looks)
        self.looked = 0
        self.daemon_at = self.tick_at = None
        self.not_watched: dict[str, str] = {}

    def look(self) -> list[Change]:
        self.looked += 1
        found = self.looks.pop(0) if self.looks else []
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil_module, "EVERY_SECONDS", 0.01)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as receiver:
        monkeypatch.setenv("GP_NOTIFY_WEBHOOK_URL", receiver.url)
        yield receiver


def watched_until(vigil: ScriptedVigil, looks: int) -> list[Change]:
    """What was told until it had looked so often."""
    told: list[Change] = []

    async def run() -> None:
        metrics = VigilMetrics(CollectorRegistry())
        async with watching(vigil, metrics, told.append):  # type: ignore[arg-type]
            await asyncio.to_thread(wait_until, lambda: vigil.looked >= looks, 30, 0.01)

    asyncio.run(run())
    return told


def test_an_error_in_one_look_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    vigil = ScriptedVigil(KeyError("password=hunter2"), [CHANGE])
    assert watched_until(vigil, 3) == [CHANGE]
    assert "could not look: KeyError" in caplog.text
    assert "hunter2" not in caplog.text


def test_it_ends_with_the_webhook() -> None:
    watched_until(ScriptedVigil(), 1)
    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "gp-vigil"], every=0.01)


def test_people_are_told_what_still_works(people: Receiver) -> None:
    tell_people(CHANGE)
    tell_people(Change("api", ""))
    gone, back = [each.body["data"] for each in people.received]
    assert (gone["kind"], gone["severity"]) == ("not_watched", "critical")
    assert "Dagster's sensor daemon is silent" in gone["what"]
    assert "`gp rollback api --now` works." in gone["what"]
    assert (back["kind"], back["severity"]) == ("watched_again", "info")
