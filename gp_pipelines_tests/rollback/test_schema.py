"""Whether the old version works with the present schema: proved, proved not to, or not known."""

import pytest

from gp_pipelines.databases import proofs
from gp_pipelines.errors import Refused
from gp_pipelines.model import Slot
from gp_pipelines.rollback.engine import RolledBack
from gp_pipelines.traffic import events
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.programs import Release, TinyDatabase
from gp_pipelines_tests.faults.story import Story


@pytest.fixture
def release(story: Story, database: TinyDatabase) -> Release:
    """Version 2 is live, and has migrated; version 1 was smoked on its schema meanwhile."""
    database.brings["2"] = "2_more"
    story.release("1")
    return story.release("2")


def old(story: Story) -> Slot:
    assert story.record.previous is not None
    return story.record.previous


def changed_since(database: TinyDatabase) -> None:
    """Somebody has migrated by hand: nobody has tried the old version with that."""
    database.applied.append("3_by_hand")


def facts(story: Story) -> dict[str, object]:
    (event,) = [e for e in events.unrecorded(story.target.ledger) if e.what == "rollback"]
    assert event.facts
    return event.facts


def smoked(story: Story, run: object) -> bool:
    return any("smoking it" in line for line in run.said)  # type: ignore[attr-defined]


@pytest.mark.parametrize("by_alert", [True, False])
def test_what_its_release_has_proved_is_not_smoked_again(
    story: Story, release: Release, by_alert: bool
) -> None:
    story.world.fails_smoke.add(old(story).release_id)  # would fail if it were asked
    run = story.roll_back(release, by_alert=by_alert)
    assert isinstance(run.gave, RolledBack)
    assert not smoked(story, run)
    assert facts(story)["old version"] == "proved with the present schema"
    assert facts(story)["schema"] == "2_more"


@pytest.mark.parametrize("by_alert", [True, False])
def test_what_nobody_has_tried_is_smoked_before_users_get_it(
    story: Story, database: TinyDatabase, release: Release, by_alert: bool
) -> None:
    changed_since(database)
    run = story.rollback(release, by_alert=by_alert)
    story.go_until(run, lambda: smoked(story, run))
    assert story.live.version == "2"
    run.finish()
    assert story.live.version == "1"
    assert facts(story)["old version"] == "unproved with the present schema"
    assert proofs.works(story.target.ledger, story.live, database.schema()) is True


def test_without_a_database_nothing_is_said_of_a_schema(story: Story) -> None:
    story.release("1")
    story.roll_back(story.release("2"))
    assert story.live.version == "1"
    assert not {"schema", "old version"} & facts(story).keys()


def test_an_alert_does_not_go_back_to_what_fails_now(
    story: Story, database: TinyDatabase, release: Release
) -> None:
    changed_since(database)
    story.world.fails_smoke.add(old(story).release_id)
    run = story.roll_back(release, by_alert=True)
    assert isinstance(run.error, Refused)
    assert "fails now" in str(run.error)
    assert "gp rollback api --reason" in run.error.advice
    assert (story.live.version, story.record.automatic, story.record.holder) == ("2", (), None)


def test_a_person_may_insist_and_it_is_said(
    story: Story, database: TinyDatabase, release: Release
) -> None:
    changed_since(database)
    story.world.fails_smoke.add(old(story).release_id)
    run = story.roll_back(release)
    assert isinstance(run.gave, RolledBack)
    assert story.live.version == "1"
    assert any("a person insists" in line for line in run.said)
    assert facts(story)["old version"] == "unproved with the present schema"
    assert proofs.works(story.target.ledger, story.live, database.schema()) is None


@pytest.mark.parametrize("asked", [{"by_alert": True}, {}, {"now": True}])
def test_nobody_goes_back_to_what_was_proved_not_to_work(
    story: Story, database: TinyDatabase, release: Release, asked: dict[str, bool]
) -> None:
    schema, slot = database.schema(), old(story)
    proofs.note(story.target.ledger, slot, schema, False, "it wants the column", story.world.now)
    before = story.record
    run = story.roll_back(release, **asked)
    assert isinstance(run.error, Refused)
    assert "does not work with the present schema (2_more): it wants the column" in str(run.error)
    assert "Release a fixed version" in run.error.advice
    assert story.record == before


def test_a_live_version_that_failed_on_the_new_schema_is_proved_not_to_work(
    story: Story, database: TinyDatabase
) -> None:
    """Its release stopped there; the next one, which brings nothing, goes through."""
    database.brings["2"] = "2_more"
    story.release("1")
    story.world.fails_smoke.add(story.live.release_id)
    failed = story.release("2")
    assert failed.run
    assert "fails on the new schema" in str(failed.run.error)
    third = story.release("3")
    assert story.live.version == "3"
    assert "does not work" in str(story.roll_back(third).error)


@pytest.mark.parametrize("by_alert", [True, False])
def test_a_database_that_does_not_answer_proves_nothing(
    story: Story, database: TinyDatabase, release: Release, by_alert: bool
) -> None:
    """The rollback goes on: it depends on the old color."""
    database.answers = False
    run = story.roll_back(release, by_alert=by_alert)
    assert isinstance(run.gave, RolledBack)
    assert smoked(story, run)
    assert facts(story)["schema"] == "unknown"


def test_an_alert_goes_nowhere_with_a_database_that_is_down(
    story: Story, database: TinyDatabase, release: Release
) -> None:
    """The old version would not answer either."""
    database.answers = False
    story.world.fails_smoke.add(old(story).release_id)
    assert isinstance(story.roll_back(release, by_alert=True).error, Refused)
    assert story.live.version == "2"


@pytest.mark.parametrize("by_alert", [True, False])
def test_an_unproved_version_that_is_cold_is_brought_up_and_smoked(
    story: Story, database: TinyDatabase, release: Release, by_alert: bool
) -> None:
    story.clock.advance(61)
    story.run(programs.run_cleanup)
    changed_since(database)
    run = story.rollback(release, by_alert=by_alert)
    story.go_until(run, lambda: smoked(story, run))
    assert len(story.standing) == 2
    assert story.live.version == "2"
    run.finish()
    assert story.live.version == "1"


def test_what_was_refused_can_be_insisted_on_with_the_same_slot(
    story: Story, database: TinyDatabase, release: Release
) -> None:
    story.clock.advance(61)
    story.run(programs.run_cleanup)
    changed_since(database)
    story.world.fails_smoke.add(old(story).release_id)
    story.roll_back(release, by_alert=True)
    standing = story.standing
    assert isinstance(story.roll_back(release).gave, RolledBack)
    assert story.standing == standing
    assert story.live.version == "1"


def test_a_killed_proof_is_done_again(
    story: Story, database: TinyDatabase, release: Release
) -> None:
    changed_since(database)
    run = story.rollback(release, by_alert=True)
    story.go_until(run, lambda: smoked(story, run))
    run.kill()
    again = story.roll_back(release, by_alert=True)
    assert smoked(story, again)
    assert story.live.version == "1"


def test_a_service_without_a_database_has_nothing_to_prove(story: Story) -> None:
    story.release("1")
    release = story.release("2")
    story.world.fails_smoke.add(old(story).release_id)
    assert isinstance(story.roll_back(release, by_alert=True).gave, RolledBack)
