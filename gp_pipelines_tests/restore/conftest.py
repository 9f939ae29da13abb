from collections.abc import Iterator
from dataclasses import dataclass
from unittest.mock import patch

import pytest

from gp_pipelines.cleanup.reconcile import reconciler
from gp_pipelines.errors import FenceLost, GpError
from gp_pipelines.restore import engine
from gp_pipelines.restore.attempt import RestoreAttempt
from gp_pipelines.restore.choice import choose, list_backups
from gp_pipelines.restore.request import RestoreRequest
from gp_pipelines.restore.unfinished import end_restore
from gp_pipelines.services import DatabaseSpec, Service
from gp_pipelines_tests.faults import programs, scripted
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.faults.story import Story, telling
from gp_pipelines_tests.restore.fake_database import FakeDatabase, Server

BACKUP = "20260203T040506.000Z-00000001"
DATABASE = {"migrations": {"command": ["api", "migrate"], "directory": "migrations"}}


@dataclass
class Lost:
    """Version 2 is live, version 1 warm, and the data are destroyed. There is a backup."""

    story: Story
    server: Server
    database: FakeDatabase

    def ask(self, **special: str) -> RestoreRequest:
        request = {"backup": BACKUP, "operator": "ann", "reason": "dropped", "confirm": "api"}
        return RestoreRequest(**{**request, **special})

    def begun(self, **special: str) -> Program:
        """A restore that has not begun."""
        request = self.ask(**special)
        return self.story.program(lambda program, service: run_restore(program, service, request))

    def restore(self, **special: str) -> Program:
        """From beginning to end. What it raised is its `error`."""
        program = self.begun(**special)
        program.finish()
        return program

    def works_with(self) -> str:
        """The database that users' requests reach."""
        launch = self.story.world.launches[self.story.live.name]
        return launch.secrets["DATABASE_URL"].removeprefix("postgresql:///")

    @property
    def writable(self) -> set[str]:
        return set(self.server.databases) - self.server.read_only

    @property
    def restoring(self) -> bool:
        return any(kind == "restoring" for kind, _ in self.story.world.documents)


@pytest.fixture
def lost() -> Iterator[Lost]:
    both = reconciler(end_restore)
    with (
        telling() as story,
        patch.object(programs, "reconcile", both),
        patch("gp_pipelines.restore.engine.run_checks", scripted._checks),
    ):
        server = Server(story.world)
        database = FakeDatabase(server)
        spec = DatabaseSpec.model_validate(DATABASE)
        story.service = story.service.model_copy(update={"database": spec})
        with patch.object(programs, "DATABASE", database):
            story.release("1")
            story.release("2")
            server.backed_up(BACKUP)
            yield Lost(story, server, database)


def run_restore(program: Program, service: Service, request: RestoreRequest) -> engine.Repointed:
    """As the job does it."""
    platform = programs.platform_of(program, service)
    attempt = RestoreAttempt(
        platform,
        request,
        program.run_id,
        reconciler(end_restore),
        program.progress,
        clock=program.monotonic,
        sleep=program.sleep,
    )
    try:
        reading = platform.target.traffic.read()
        listed = list_backups(platform, reading.now)
        choice = choose(platform, request, listed, reading.record)
        attempt.begin(choice)
        engine.restore(attempt, choice)
        engine.verify(attempt, choice)
        return engine.repoint(attempt, choice)
    except FenceLost:
        raise
    except GpError as error:
        attempt.failure = error
        attempt.abandon(error.what)
        raise
    finally:
        attempt.close()
