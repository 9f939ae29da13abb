"""The contract phase: what only older versions used is taken away once none of them stands."""

from functools import partial

import pytest

from gp_pipelines import contractions
from gp_pipelines.cleanup import contraction
from gp_pipelines.cleanup.contraction import Contracted
from gp_pipelines.databases.compatibility.finding import Finding, Severity
from gp_pipelines.errors import ConfigInvalid, Refused, StepFailed
from gp_pipelines.migrating.gate import GateClosed
from gp_pipelines.model import Slot
from gp_pipelines.services import Service
from gp_pipelines.status import Closed, ServiceStatus, read_status
from gp_pipelines.traffic import events
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.faults.programs import MIGRATED, TinyDatabase
from gp_pipelines_tests.faults.story import Story

BREAKS = Finding(Severity.BREAKING, "column-dropped", "public.missions.title", "what reads it")


def service(automatic: bool = True) -> Service:
    migrations = {"command": ["migrate"], "directory": "migrations"}
    contract = {"command": ["contract"], "directory": "contract", "automatic": automatic}
    return programs.a_service(database={"migrations": migrations, "contract": contract})


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> TinyDatabase:
    database = TinyDatabase()
    database.contracts["2"] = "9_drop_title"
    monkeypatch.setattr(programs, "DATABASE", database)
    return database


@pytest.fixture
def old(story: Story, database: TinyDatabase) -> Slot:
    """Version 2 is live, and has something to contract; version 1 is warm."""
    story.service = service()
    story.release("1")
    story.release("2")
    assert story.record.previous is not None
    return story.record.previous


def retired(story: Story) -> None:
    story.clock.advance(100)
    story.run(programs.run_cleanup)
    assert len(story.standing) == 1


def contracted(story: Story, accepted: str = "") -> Program:
    return story.run(partial(programs.run_contract, accepted=accepted))


def is_due(story: Story) -> bool:
    platform = programs.platform_of(story.programs[0], story.service)
    return contraction.is_due(platform, story.record)


def test_nothing_is_taken_away_while_an_older_slot_stands(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    assert not is_due(story)
    run = contracted(story)
    assert isinstance(run.error, Refused)
    assert old.describe() in run.error.what
    assert database.applied == ["1_first"]


def test_once_it_is_gone_it_is_due_and_done_once(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    retired(story)
    assert is_due(story)
    run = contracted(story)
    assert isinstance(run.gave, Contracted)
    assert run.gave.backup is not None
    assert database.applied == ["1_first", "9_drop_title"]
    assert not is_due(story)
    assert story.told[-1] == "contract"
    (event,) = [e for e in events.unrecorded(story.target.ledger) if e.what == "contract"]
    assert (event.before, event.after) == ("schema 1_first", "schema 9_drop_title")


def test_it_is_nobodys_job_where_services_yaml_does_not_say_so(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    story.service = service(automatic=False)
    retired(story)
    assert not is_due(story)
    assert isinstance(contracted(story).gave, Contracted)
    assert database.applied == ["1_first", "9_drop_title"]


def test_a_service_without_such_migrations_is_told_so(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    retired(story)
    database.contracting = raising  # type: ignore[method-assign]
    assert isinstance(contracted(story).error, ConfigInvalid)


def raising() -> TinyDatabase:
    raise ConfigInvalid("it has none")


def test_a_release_that_waits_is_waited_for(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    retired(story)
    story.release("3", manual=True)
    assert not is_due(story)
    assert isinstance(contracted(story).error, Refused)
    assert database.applied == ["1_first"]


def test_it_waits_for_a_person_where_the_gate_has_findings(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    retired(story)
    database.findings = [BREAKS]
    run = contracted(story)
    assert isinstance(run.error, GateClosed)
    assert database.applied == ["1_first"]
    assert not is_due(story), "it would be tried again each minute"
    assert "waits for a person" in " ".join(status(story).remarks)
    database.findings = []
    assert isinstance(contracted(story).gave, Contracted)
    assert "waits for a person" not in " ".join(status(story).remarks)


def test_a_person_may_accept_what_the_gate_finds(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    retired(story)
    database.findings = [BREAKS]
    assert isinstance(contracted(story, accepted="nobody reads it").gave, Contracted)
    assert database.applied == ["1_first", "9_drop_title"]


def test_the_live_version_is_smoked_on_what_is_left(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    retired(story)
    database.broken_by_migrating = {story.live.release_id}
    run = contracted(story)
    assert isinstance(run.error, StepFailed)
    assert contractions.found(story.target.ledger, story.live.release_id) is not None


def test_a_rollback_below_it_is_closed_by_the_schema(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    retired(story)
    assert (status(story).rollback, status(story).rollback_closed) == ("cold", None)
    story.world.fails_on[MIGRATED] = {old.release_id}
    contracted(story)
    closed = status(story).rollback_closed
    assert isinstance(closed, Closed)
    assert (status(story).rollback, closed.schema) == ("none", "9_drop_title")
    run = story.roll_back()
    assert isinstance(run.error, Refused)
    assert "does not work with the present schema (9_drop_title)" in run.error.what
    assert story.live.version == "2"


def test_it_is_not_due_while_somebody_holds_the_fence(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    retired(story)
    run = story.begun(story.new("3"))
    story.go_until(run, lambda: story.record.holder)
    assert not is_due(story)
    run.finish()


@pytest.mark.parametrize("calls", range(1, 60, 4))
def test_a_run_that_is_killed_anywhere_is_gone_on_with(
    story: Story, database: TinyDatabase, old: Slot, calls: int
) -> None:
    retired(story)
    run = story.program(programs.run_contract)
    run.go(calls)
    run.kill()
    story.clock.advance(100)
    assert isinstance(contracted(story).gave, Contracted)
    assert database.applied == ["1_first", "9_drop_title"]


def status(story: Story) -> ServiceStatus:
    return read_status(programs.platform_of(story.programs[0], story.service))
