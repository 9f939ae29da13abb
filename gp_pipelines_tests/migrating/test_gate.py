"""Migrations that would break what is live: tried on a shadow, and stopped before the database."""

from typing import Any

import pytest

from gp_pipelines.databases import proofs
from gp_pipelines.databases.compatibility.finding import Finding, Severity
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.migrating import rehearsal
from gp_pipelines.migrating.gate import GateClosed
from gp_pipelines.migrating.rehearsal import Rehearsed
from gp_pipelines.model import Slot
from gp_pipelines.release import evidence
from gp_pipelines.services import Service
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.programs import MIGRATED, UNMIGRATED, Release, TinyDatabase
from gp_pipelines_tests.faults.story import Story

BREAKS = Finding(Severity.BREAKING, "column-renamed", "public.missions.name", "what reads it")
LOCKS = Finding(Severity.APPROVAL, "lock", "public.missions", "everybody waits")
STYLE = Finding(Severity.NOTE, "prefer-text", "public.missions.name", "nothing")


def with_database() -> Service:
    database = {"migrations": {"command": ["migrate"], "directory": "migrations"}}
    return programs.a_service(database=database)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> TinyDatabase:
    database = TinyDatabase()
    database.brings["3"] = "2_more"
    monkeypatch.setattr(programs, "DATABASE", database)
    return database


@pytest.fixture
def old(story: Story, database: TinyDatabase) -> Slot:
    """Version 2 is live; version 1 is warm. Version 3 brings a migration."""
    story.service = with_database()
    story.release("1")
    story.release("2")
    assert story.record.previous is not None
    return story.record.previous


def refused(story: Story, **request: str) -> GateClosed:
    live, release = story.live, story.new("3", **request)
    run = story.begun(release)
    run.finish()
    assert isinstance(run.error, GateClosed)
    assert (story.live, story.outcome(release)) == (live, "refused")
    assert "migrate" not in evidence.found(story.target.ledger, release.release_id)
    return run.error


def passed(story: Story, **request: str) -> Release:
    release = story.release("3", **request)
    assert story.live.version == "3"
    return release


def facts(story: Story, release: Release) -> dict[str, object]:
    return dict(evidence.found(story.target.ledger, release.release_id)["migrate"].facts)


def proved(story: Story, release: Release) -> list[tuple[str, bool | None]]:
    found: Any = facts(story, release)["proved"]
    return [(each["version"], each["works"]) for each in found]


def rules(error: GateClosed) -> list[str]:
    return [each.rule for each in error.report.findings]


@pytest.mark.parametrize("finding", [BREAKS, LOCKS])
def test_what_needs_a_persons_word_stops_the_release_before_the_database(
    story: Story, database: TinyDatabase, old: Slot, finding: Finding
) -> None:
    database.findings = [finding, STYLE]
    error = refused(story)
    assert database.applied == ["1_first"]
    assert finding.rule in error.what
    assert STYLE.rule not in error.what
    assert "not touched" in error.state
    assert "accept_findings" in error.advice
    assert story.standing == {story.live.name, old.name}


def test_a_note_stops_nothing(story: Story, database: TinyDatabase, old: Slot) -> None:
    database.findings = [STYLE]
    release = passed(story)
    assert facts(story, release)["verdict"] == "compatible"
    assert "accepted" not in facts(story, release)


def test_a_person_may_accept_findings_and_the_reason_stays_with_the_release(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    database.findings = [LOCKS]
    release = passed(story, accept_findings=" the shop is closed ")
    assert facts(story, release).get("accepted") == "the shop is closed"
    assert facts(story, release)["verdict"] == "needs_approval"


def test_a_reason_of_blanks_is_none(story: Story, database: TinyDatabase, old: Slot) -> None:
    database.findings = [LOCKS]
    refused(story, accept_findings="   ")


def test_the_live_version_is_smoked_on_the_shadow(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    story.world.fails_on[MIGRATED] = {story.live.release_id}
    error = refused(story)
    assert rules(error) == ["live-version-fails"]
    assert database.applied == ["1_first"]


def test_a_live_version_that_does_not_come_up_on_the_shadow_stops_it(
    story: Story, database: TinyDatabase, old: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    comes_up_before = rehearsal.rehearse

    def does_not_come_up(platform, slot, url, progress):
        if (slot, url) == (story.live, MIGRATED):
            return Rehearsed(slot, False, "it ended with exit code 1")
        return comes_up_before(platform, slot, url, progress)

    monkeypatch.setattr("gp_pipelines.migrating.gate.rehearse", does_not_come_up)
    assert "exit code 1" in refused(story).report.findings[0].breaks


def test_what_fails_without_the_migrations_as_well_says_nothing_of_them(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    for url in (MIGRATED, UNMIGRATED):
        story.world.fails_on[url] = {story.live.release_id}
    release = passed(story)
    assert facts(story, release)["verdict"] == "compatible"
    assert proved(story, release) == [("2", None), ("1", True)]


def test_the_way_back_is_closed_to_an_older_version_only_with_a_persons_word(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    story.world.fails_on[MIGRATED] = {old.release_id}
    assert rules(refused(story)) == ["rollback-closed"]
    passed(story, accept_findings="nobody wants version 1 back")
    assert proofs.works(story.target.ledger, old, database.schema()) is False


def test_one_that_is_not_warm_any_more_is_only_noted(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    story.world.fails_on[MIGRATED] = {old.release_id}
    story.clock.advance(100)
    story.run(programs.run_cleanup)
    passed(story)


def test_what_was_proved_of_which_version_is_with_the_release(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    assert proved(story, passed(story)) == [("2", True), ("1", True)]
    assert proofs.works(story.target.ledger, old, database.schema()) is True


def test_a_rollback_during_the_release_knows_what_was_proved_of_the_older_version(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    """Between migration and switch the older version is still what a rollback goes back to."""
    story.world.fails_on[MIGRATED] = {old.release_id}
    bad = story.releases[-1]
    run = story.begun(story.new("3", accept_findings="nobody wants it back"))
    story.go_until(run, lambda: len(database.applied) == 2)
    rollback = story.roll_back(bad)
    assert isinstance(rollback.error, Refused)
    assert "does not work with the present schema" in rollback.error.what
    assert story.live.version == "2"


def test_the_release_goes_on_where_a_person_accepted_that_the_live_version_breaks(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    database.findings = [BREAKS]
    live = story.live
    database.broken_by_migrating = {live.release_id}
    story.world.fails_on[MIGRATED] = {live.release_id}
    release = passed(story, accept_findings="announced downtime")
    assert "fails on the new schema" in str(facts(story, release)["live_fails"])
    refusal = story.roll_back(release)
    assert isinstance(refusal.error, Refused)
    assert story.live.version == "3"


def test_a_live_version_that_fails_unexpectedly_stops_it_after_the_migration(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    database.findings = [LOCKS]
    database.broken_by_migrating = {story.live.release_id}
    run = story.begun(story.new("3", accept_findings="it is night"))
    run.finish()
    assert isinstance(run.error, StepFailed)
    assert story.live.version == "2"


def test_migrations_that_nobody_has_released_are_no_basis_for_a_release(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    database.unknown = (77,)
    run = story.begun(story.new("3"))
    run.finish()
    assert isinstance(run.error, Refused)
    assert "does not know: 77" in run.error.what
    assert (story.live.version, database.applied) == ("2", ["1_first"])


def test_an_older_version_than_one_that_was_released_may_not_know_them(
    story: Story, database: TinyDatabase, old: Slot
) -> None:
    database.unknown = (77,)
    story.release("1.5", allow_downgrade=True)
    assert story.live.version == "1.5"


def test_where_nothing_is_live_nothing_can_break(story: Story, database: TinyDatabase) -> None:
    story.service = with_database()
    database.findings = [BREAKS]
    passed(story)
