"""Take one rule of a restore out, and the story that tells of it fails."""

import pytest

from gp_pipelines.cleanup import reconcile, watch
from gp_pipelines.restore import attempt, choice, engine, unfinished
from gp_pipelines.rollback import assessment, guards
from gp_pipelines.traffic import transitions
from gp_pipelines_tests.faults.taken_out import Change
from gp_pipelines_tests.faults.teeth import require_told

RESTORE = "restore/test_restore.py::"
ENDED = "restore/test_ended.py::"
RULES: dict[str, tuple[Change, str]] = {
    "the service's name is typed": (
        Change(attempt.RestoreAttempt._require_confirmed, "request.confirm != service"),
        f"{RESTORE}test_what_is_refused_changes_nothing",
    ),
    "an operator and a reason are given": (
        Change(attempt.RestoreAttempt._require_confirmed, "if missing", "if False"),
        f"{RESTORE}test_what_is_refused_changes_nothing",
    ),
    "a backup is verified": (
        Change(choice._backup, "not found.backup.verified"),
        f"{RESTORE}test_a_backup_that_was_never_verified_is_refused",
    ),
    "no release waits": (
        Change(choice.require_settled, "record.waiting is not None"),
        f"{RESTORE}test_a_waiting_release_was_proved_with_other_data",
    ),
    "the version fits the backup": (
        Change(engine._require_fitting, "if pending", "if False"),
        f"{RESTORE}test_a_version_that_fits_the_older_backup",
    ),
    "what failed is undone at once": (
        Change(unfinished._undo, "restorer.unprotect(begun.old_database)", "pass"),
        f"{RESTORE}test_a_step_that_fails_lets_users_write_again_at_once",
    ),
    "what was made beside it is removed": (
        Change(unfinished._undo, "restorer.drop(begun.new_database)", "pass"),
        f"{RESTORE}test_a_step_that_fails_lets_users_write_again_at_once",
    ),
    "the warm slot is behind its color again": (
        Change(unfinished._put_previous_back, "if stands", "if False"),
        f"{RESTORE}test_a_version_that_fails_with_the_restored_data",
    ),
    "the slot with the restored data is removed": (
        Change(unfinished._undo, "if _stands_for_nothing(hold, platform, begun)", "if False"),
        f"{RESTORE}test_a_version_that_fails_with_the_restored_data",
    ),
    "only what has moved the traffic is finished": (
        Change(unfinished._has_moved, "return moved or", "return True or"),
        f"{ENDED}test_the_reconciler_ends_what_a_killed_restore_left",
    ),
    "what has moved the traffic is never undone": (
        Change(unfinished._has_moved, "return moved or", "return False and"),
        f"{ENDED}test_the_reconciler_ends_what_a_killed_restore_left",
    ),
    "a restore knows its own move": (
        Change(unfinished._has_moved, "MovedBy.RESTORE and by_it", "MovedBy.RESTORE"),
        f"{ENDED}test_a_late_restore_is_not_in_the_way",
    ),
    "what another restore has replaced stays read-only": (
        Change(unfinished._undo, "begun.old_database == database.name()", "True"),
        f"{ENDED}test_a_late_restore_is_not_in_the_way",
    ),
    "nothing goes back onto the old data": (
        Change(transitions.restored, "previous=None", "previous=record.live"),
        f"{RESTORE}test_the_live_version_works_with_the_restored_data",
    ),
    "what has the old data is retired": (
        Change(unfinished._finish, "kept.state in (SlotState.KEPT, SlotState.RETIRING)"),
        f"{RESTORE}test_what_was_done_is_remembered",
    ),
    "users may write again first of all": (
        Change(reconcile.reconciler, "done = end_restore(hold, platform, progress)", "done = []"),
        f"{ENDED}test_users_may_write_again_before_anything_else",
    ),
    "once more when the traffic is settled": (
        Change(
            reconcile.reconciler,
            "return done + end_restore(hold, platform, progress)",
            "return done",
        ),
        f"{ENDED}test_the_reconciler_ends_what_a_killed_restore_left",
    ),
    "a dead restore is worth a run": (
        Change(watch.look, "if begun else []", "if False else []"),
        f"{ENDED}test_a_dead_restore_is_worth_a_run",
    ),
    "alerts launch nothing meanwhile": (
        Change(guards._not_allowed, "there.restoring is not None"),
        f"{ENDED}test_alerts_launch_nothing",
    ),
    "nor does one that was launched before": (
        Change(
            assessment._require_allowed,
            "restrictions.require_not_restoring(ledger, service.name)",
            "pass",
        ),
        f"{ENDED}test_alerts_launch_nothing",
    ),
}


@pytest.mark.parametrize("rule", list(RULES))
def test_without_a_rule_its_story_fails(rule: str) -> None:
    change, story = RULES[rule]
    require_told(story, change)
