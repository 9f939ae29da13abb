"""One service on a fake target, for tests that tell a story step by step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gp_pipelines.model import Slot, TrafficRecord
from gp_pipelines.release.planning import ReleaseRequest
from gp_pipelines.rollback.request import AlertSeen, RollbackRequest
from gp_pipelines.services import Service
from gp_pipelines.traffic import events
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.fake_target import FakeTarget, World
from gp_pipelines_tests.faults.program import Clock, Program
from gp_pipelines_tests.faults.programs import Release
from gp_pipelines_tests.faults.rules import Rules
from gp_pipelines_tests.faults.scripted import scripted

Work = Callable[[Program, Service], object]

AN_ALERT = AlertSeen("probe", "HighErrorRate", "f1", "2026-02-03T04:05:06Z", "2026-02-03T04:05:07Z")


class Story:
    def __init__(self) -> None:
        self.world = World("api")
        self.clock = Clock(self.world)
        self.service = programs.a_service()
        self.rules = Rules(self.world, self.service)
        self.target = FakeTarget(self.world)
        self.programs: list[Program] = []
        self.releases: list[Release] = []

    @property
    def record(self) -> TrafficRecord:
        return self.world.record

    @property
    def live(self) -> Slot:
        assert self.record.live is not None
        return self.record.live

    @property
    def standing(self) -> set[str]:
        return set(self.world.slots)

    @property
    def told(self) -> list[str]:
        """The events, oldest first."""
        return [event.what for event in events.unrecorded(self.target.ledger)]

    def outcome(self, release: Release) -> str | None:
        found: str | None = self.world.documents["releases", release.release_id]["outcome"]
        return found

    def program(self, work: Work) -> Program:
        """One that has not begun."""
        number = len(self.programs) + 1
        program = Program(
            self.world, self.clock, f"run-{number}", lambda program: work(program, self.service)
        )
        self.programs.append(program)
        return program

    def run(self, work: Work) -> Program:
        """From beginning to end. What it raised is its `error`."""
        program = self.program(work)
        program.finish()
        return program

    def new(self, version: str, fate: str = "", **request: Any) -> Release:
        release = Release(
            f"{len(self.releases) + 1:08d}-release", ReleaseRequest(version, **request)
        )
        self.releases.append(release)
        if fate:
            getattr(self.world, fate).add(release.release_id)
        return release

    def begun(self, release: Release, from_step: str = "plan") -> Program:
        release.run = self.program(
            lambda program, service: programs.run_release(program, service, release, from_step)
        )
        return release.run

    def release(self, version: str, fate: str = "", **request: Any) -> Release:
        """A whole release."""
        release = self.new(version, fate, **request)
        self.begun(release).finish()
        return release

    def again(self, release: Release, from_step: str) -> Program:
        """Its run executed again from a step, to the end."""
        self.begun(release, from_step).finish()
        assert release.run
        return release.run

    def rollback(self, release: Release | None = None, **request: Any) -> Program:
        """Of a release (None: whatever is live), not begun. By an alert, if `by_alert`."""
        alert = AN_ALERT if request.pop("by_alert", False) else None
        asked = RollbackRequest(release.release_id if release else "", "bad", alert, **request)
        return self.program(lambda program, service: programs.run_rollback(program, service, asked))

    def roll_back(self, release: Release | None = None, **request: Any) -> Program:
        """From beginning to end, as it is asked for; what it raised is its `error`."""
        program = self.rollback(release, **request)
        program.finish()
        return program

    def go_until(self, program: Program, condition: Callable[[], object]) -> None:
        """One call at a time, so that it stops right after the one that made it true."""
        while not condition():
            assert program.can_go, (program.error, program.said)
            program.go(1)


@contextmanager
def telling() -> Iterator[Story]:
    """Ends with the rules of `rules.py` looked at: no story may break one."""
    with scripted():
        story = Story()
        try:
            yield story
        finally:
            for program in story.programs:
                program.clean_up()
    assert not story.rules.broken, story.rules.broken
