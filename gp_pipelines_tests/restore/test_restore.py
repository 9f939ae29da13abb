"""A restore from its choice to its end: what it needs, what it leaves, and what it refuses."""

import pytest

from gp_pipelines import restores, restrictions
from gp_pipelines.errors import Busy, ConfigInvalid, GpError, Refused, StepFailed
from gp_pipelines.model import MovedBy
from gp_pipelines.restore.engine import Repointed
from gp_pipelines.restrictions import Quarantine
from gp_pipelines.traffic import events
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.fake_target import BEGINNING
from gp_pipelines_tests.restore.conftest import BACKUP, Lost
from gp_pipelines_tests.restore.fake_database import OWN

NEW = "api_restored_run3"


def test_the_live_version_works_with_the_restored_data_and_nothing_with_the_old_ones(
    lost: Lost,
) -> None:
    story = lost.story
    before = story.live
    run = lost.restore()
    assert isinstance(run.gave, Repointed), run.error
    record = story.record
    assert (record.moved_by, record.confirmed, record.previous) == (MovedBy.RESTORE, True, None)
    assert story.live.release_id == before.release_id
    assert story.live.color is before.color.other
    assert story.standing == {story.live.name}
    assert (lost.works_with(), lost.server.current) == (NEW, NEW)
    assert lost.server.databases.keys() == {OWN, NEW}
    assert lost.writable == {NEW}
    assert not lost.restoring
    assert record.holder is None


def test_what_was_done_is_remembered_with_who_asked_and_why(lost: Lost) -> None:
    run = lost.restore()
    remembered = restores.found(lost.story.target.ledger, run.run_id)
    assert remembered
    assert (remembered.outcome, remembered.by, remembered.reason) == ("done", "ann", "dropped")
    assert (remembered.backup, remembered.new_database) == (BACKUP, NEW)
    (event,) = [e for e in events.unrecorded(lost.story.target.ledger) if e.what == "restore"]
    assert (event.before, event.after) == ("2 (#2, green)", "2 (#2, blue)")
    assert event.holder.actor == "ann"
    assert event.reason == f"backup {BACKUP} was restored: dropped"
    assert lost.story.told.count("retire") == 2  # what was live, and what was warm


def test_while_it_restores_nobody_writes_and_users_read_what_they_have_always_read(
    lost: Lost,
) -> None:
    run, before = lost.begun(), lost.story.live
    lost.story.go_until(run, lambda: NEW in lost.server.databases)
    assert lost.restoring
    assert lost.server.read_only == {OWN}
    assert lost.story.live == before
    lost.story.go_until(run, lambda: lost.story.live != before)
    assert lost.server.read_only == {OWN}
    run.finish()


def test_a_version_that_fits_the_older_backup_gets_the_traffic(lost: Lost) -> None:
    """The original's second scenario: the schema that comes back is older than the live version."""
    lost.server.backed_up("older", schema="1_first")
    lost.database.brings["2"] = "2_more"
    refused = lost.restore(backup="older")
    assert isinstance(refused.error, Refused)
    assert "2 does not fit backup older" in refused.error.what
    assert "2_more" in refused.error.what
    assert lost.writable == {OWN}
    run = lost.restore(backup="older", version="1")
    assert run.error is None
    assert lost.story.live.version == "1"
    assert (lost.works_with(), lost.story.standing) == (lost.server.current, {lost.story.live.name})
    lost.database.brings.clear()
    lost.story.release("2")
    assert lost.works_with() == lost.server.current


def test_the_next_release_and_its_rollback_work_with_the_restored_data(lost: Lost) -> None:
    lost.restore()
    release = lost.story.release("3")
    assert lost.works_with() == NEW
    assert lost.story.roll_back(release).error is None
    assert (lost.story.live.version, lost.works_with()) == ("2", NEW)


def test_a_second_restore_goes_into_a_database_of_its_own(lost: Lost) -> None:
    lost.restore()
    assert lost.restore().error is None
    assert lost.server.databases.keys() == {OWN, NEW, "api_restored_run4"}
    assert lost.writable == {lost.works_with()}


REFUSED = {
    "no backup was named": ({"backup": ""}, Refused, "Which backup of api?"),
    "an unknown backup": ({"backup": "other"}, Refused, "no whole backup 'other'"),
    "no operator": ({"operator": " "}, ConfigInvalid, "needs its operator"),
    "no reason": ({"reason": ""}, ConfigInvalid, "needs its reason"),
    "not confirmed": ({"confirm": ""}, ConfigInvalid, "confirmed by the service's name: api"),
    "another name": ({"confirm": "shop"}, ConfigInvalid, "'shop' was typed"),
    "a version that was never live": ({"version": "7"}, Refused, "has never been live"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_changes_nothing(lost: Lost, what: str) -> None:
    special, kind, message = REFUSED[what]
    before, databases = lost.story.record, dict(lost.server.databases)
    run = lost.restore(**special)
    assert isinstance(run.error, kind)
    assert message in str(run.error)
    assert lost.story.record == before
    assert (lost.server.databases, lost.server.read_only) == (databases, set())
    assert not lost.restoring


def test_the_list_says_what_would_be_lost(lost: Lost) -> None:
    lost.server.backed_up("older")
    lost.server.written["older"] = None
    lost.story.clock.advance(3 * 3600 + 60)
    said = str(lost.restore(backup="").error)
    assert f"{BACKUP}: 3 h 1 min old, 0.0 MB, 3 rows, verified; 7 rows were written since" in said
    assert "an unknown number of rows were written since" in said


def test_a_backup_that_was_never_verified_is_refused(lost: Lost) -> None:
    lost.server.backed_up("unproved", verified=False)
    assert "was never verified" in str(lost.restore(backup="unproved").error)


def test_a_damaged_backup_or_too_little_room_is_seen_before_users_are_kept_from_writing(
    lost: Lost,
) -> None:
    lost.server.troubles["require possible"] = "There is too little room."
    run = lost.restore()
    assert isinstance(run.error, StepFailed)
    assert (lost.writable, lost.restoring) == ({OWN}, False)
    assert lost.story.record.holder is None


def test_a_version_in_quarantine_is_not_brought_back(lost: Lost) -> None:
    config = lost.story.live.config_hash
    found = Quarantine("1", "sha256:1", config, "ann", "it destroys data", BEGINNING)
    restrictions.quarantine(lost.story.target.ledger, found)
    assert "is in quarantine" in str(lost.restore(version="1").error)


def test_a_waiting_release_was_proved_with_other_data(lost: Lost) -> None:
    lost.story.release("3", manual=True)
    assert "waits to be promoted" in str(lost.restore().error)


def test_a_living_release_is_not_preempted(lost: Lost) -> None:
    release = lost.story.begun(lost.story.new("3"))
    lost.story.go_until(release, lambda: "smoke" in str(lost.story.releases[-1].passed))
    assert isinstance(lost.restore().error, Busy)
    release.finish()
    assert lost.story.live.version == "3"


FAILS = {
    "the database can still be written to": "protect",
    "a database of that name cannot be made": "create",
    "the dump cannot be restored": "restore",
}


@pytest.mark.parametrize("what", FAILS)
def test_a_step_that_fails_lets_users_write_again_at_once(lost: Lost, what: str) -> None:
    lost.server.troubles[FAILS[what]] = what
    before = lost.story.live
    run = lost.restore()
    assert isinstance(run.error, StepFailed)
    assert_undone(lost, before.name, run.run_id, what)


@pytest.mark.parametrize("fate", ["never_ready", "fails_smoke"])
def test_a_version_that_fails_with_the_restored_data_gets_no_traffic(lost: Lost, fate: str) -> None:
    before = lost.story.live
    getattr(lost.story.world, fate).add(before.release_id)
    run = lost.restore()
    assert isinstance(run.error, GpError)
    assert_undone(lost, before.name, run.run_id, run.error.what)


def assert_undone(lost: Lost, live: str, run_id: str, why: str) -> None:
    story = lost.story
    assert (story.live.name, story.record.holder) == (live, None)
    assert len(story.standing) == 2  # what is live, and what is warm
    previous = story.record.previous
    assert previous
    assert story.world.colors[previous.color].slot_name == previous.name
    assert (set(lost.server.databases), lost.writable) == ({OWN}, {OWN})
    assert not lost.restoring
    remembered = restores.found(story.target.ledger, run_id)
    assert remembered
    assert (remembered.outcome, remembered.error) == ("failed", why)


def test_traffic_that_cannot_be_verified_stays_and_is_verified_again(lost: Lost) -> None:
    run, before = lost.begun(), lost.story.live
    lost.story.go_until(run, lambda: lost.story.live != before)
    lost.story.world.broken.add(before.release_id)
    run.finish()
    assert isinstance(run.error, StepFailed)
    assert "It stays there" in run.error.state
    assert (lost.story.record.confirmed, lost.works_with()) == (False, lost.server.current)
    assert lost.restoring
    lost.story.run(programs.run_reconciler)
    assert not lost.story.record.confirmed
    lost.story.world.broken.clear()
    lost.story.run(programs.run_reconciler)
    assert lost.story.record.confirmed
    assert not lost.restoring
    assert lost.story.standing == {lost.story.live.name}
