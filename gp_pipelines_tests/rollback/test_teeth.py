"""Take one rule of a rollback out, and the story that tells of it fails.

Each story is run as pytest runs it, with the rule taken out of the engine that it is told of.
"""

import pytest

from gp_pipelines import launch_recipe, restrictions
from gp_pipelines.cleanup import reconcile, repair
from gp_pipelines.platform import Platform
from gp_pipelines.release import attempt as release_attempt
from gp_pipelines.release import engine as release_engine
from gp_pipelines.rollback import assessment, attempt, engine
from gp_pipelines.traffic import conclude, events, lost_record, roll_back, transitions
from gp_pipelines_tests.faults.taken_out import Change
from gp_pipelines_tests.faults.teeth import require_told

RULES: dict[str, tuple[tuple[Change, ...], str]] = {
    # Whom it takes the fence from
    "a rollback waits for no holder": (
        (Change(attempt.RollbackAttempt._take, "preempt=True", "preempt=False"),),
        "rollback/test_preemption.py::test_a_release_is_preempted_in_whatever_step_it_is",
    ),
    "who keeps everybody from writing is ended": (
        (Change(attempt.RollbackAttempt.begin, "traffic.end_stuck_writer()", "None"),),
        "rollback/test_preemption.py::test_whoever_keeps_everybody_from_writing_is_ended",
    ),
    "a lost record is made again": (
        (
            Change(
                attempt.RollbackAttempt.begin, "restore_lost_record(self.platform.target)", "None"
            ),
        ),
        "rollback/test_drift.py::test_a_lost_record_is_made_again_from_its_copy_and_rolled_back",
    ),
    "a record is made again under a fence above its copy's": (
        (Change(lost_record.restore_lost_record, "copy.fence + 1", "copy.fence"),),
        "rollback/test_drift.py::test_a_release_that_runs_while_the_record_is_lost",
    ),
    "a living cold rollback is left alone": (
        (Change(attempt.RollbackAttempt.begin, "working is not None"),),
        "rollback/test_preemption.py::test_a_cold_rollback_that_lives_is_left_alone",
    ),
    "only a rollback is left alone": (
        (
            Change(attempt.RollbackAttempt._living_rollback, 'holder.kind != "rollback"'),
            Change(
                attempt.RollbackAttempt._living_rollback, "holder.release_id != found.release_id"
            ),
        ),
        "rollback/test_preemption.py::test_a_release_that_lives_is_not_left_alone_on_the_cold_way",
    ),
    "a dead cold rollback is not waited for": (
        (
            Change(
                attempt.RollbackAttempt._living_rollback,
                "not shows_life(target.traffic, record, clock=self._clock, sleep=self._sleep)",
            ),
        ),
        "rollback/test_preemption.py::test_a_cold_rollback_that_is_dead_is_gone_on_with",
    ),
    "one that has just ended is not counted on": (
        (
            Change(
                attempt.RollbackAttempt._living_rollback,
                "target.traffic.read().record.holder != holder",
            ),
        ),
        "rollback/test_preemption.py::test_a_cold_rollback_that_ends_while_it_is_looked_at",
    ),
    "a person's now stops for no rollback": (
        (Change(attempt.RollbackAttempt._living_rollback, "self.request.now"),),
        "rollback/test_preemption.py::test_a_persons_now_takes_the_fence_from_a_living_rollback",
    ),
    "nobody stops for a warm one": (
        (Change(attempt.RollbackAttempt._living_rollback, "found.way in (Way.WARM, Way.MOVED)"),),
        "rollback/test_preemption.py::test_a_second_rollback_of_a_release_waits_for_nobody",
    ),
    "what was decided is proved under the fence": (
        (
            Change(
                attempt.RollbackAttempt._agreed,
                "(record.live, record.previous) != (found.undone, found.back_to)",
            ),
        ),
        "rollback/test_preemption.py::test_a_release_that_goes_live_between_the_look_and_the_fence",
    ),
    "how far it is, is looked at under the fence": (
        (
            Change(
                attempt.RollbackAttempt._agreed,
                "replace(found, way=way_back(self.platform.target, record))",
                "found",
            ),
        ),
        "rollback/test_ways_back.py::test_a_rollback_that_races_a_cleanup",
    ),
    "the last to take over says how it ended": (
        (
            Change(
                attempt.RollbackAttempt.failed,
                "before is not None and (before.is_done or mine == (before.outcome is not None))",
            ),
        ),
        "rollback/test_preemption.py::test_what_the_first_of_two_says_at_its_end",
    ),
    # What it undoes
    "only what is live is undone": (
        (
            Change(
                assessment.assess,
                "record.live is None or record.live.release_id != release_id",
            ),
        ),
        "rollback/test_already.py",
    ),
    "a killed one's move is ended by the next": (
        (Change(assessment.assess, "_is_moved(record, release_id)"),),
        "rollback/test_unverified.py::test_asking_again_verifies_again",
    ),
    "without a previous version there is no rollback": (
        (Change(assessment._require_previous, "record.previous is not None", "True"),),
        "rollback/test_already.py::test_a_first_release_has_nothing_to_go_back_to",
    ),
    "a release that never was is a mistake": (
        (
            Change(
                assessment._not_live,
                'any(each["release_id"] == release_id for each in history.newest_first(ledger))',
                "True",
            ),
        ),
        "rollback/test_already.py::test_a_release_that_never_was_is_a_mistake",
    ),
    "nothing leads back from a rollback": (
        (Change(transitions._went_back, "previous=None", "previous=undone"),),
        "traffic/test_roll_back.py::test_one_write_moves_traffic",
    ),
    # The ways back
    "a slot that is being retired is cold": (
        (Change(assessment.way_back, "kept.state is not SlotState.WARM"),),
        "rollback/test_ways_back.py::test_a_slot_whose_retirement_has_begun_is_not_gone_back_to",
    ),
    "missing replicas are started": (
        (Change(assessment.way_back, "status.ready >= record.previous.replicas", "True"),),
        "rollback/test_ways_back.py::test_missing_replicas_are_started_again",
    ),
    "what stands behind the old color is looked at": (
        (
            Change(assessment.way_back, "behind == record.previous.name", "True"),
            Change(roll_back.roll_back, "colors.point(hold, target.traffic, old.color, old)", "0"),
        ),
        "rollback/test_ways_back.py::test_something_else_behind_the_old_color_is_replaced",
    ),
    "the old color is stamped": (
        (Change(roll_back.roll_back, "colors.point(hold, target.traffic, old.color, old)", "0"),),
        "traffic/test_roll_back.py::test_the_old_color_is_stamped_with_the_fence",
    ),
    "only a warm slot takes traffic": (
        (Change(roll_back._require_old_slot, "kept.state is not SlotState.WARM"),),
        "traffic/test_roll_back.py::test_only_a_warm_slot_is_gone_back_to",
    ),
    "only ready replicas take traffic": (
        (Change(roll_back._require_old_slot, "status is None or status.ready == 0"),),
        "traffic/test_roll_back.py::test_a_slot_without_a_ready_replica_gets_no_traffic",
    ),
    "a slot to go back to is reserved before it is started": (
        (
            Change(
                engine._reserve,
                "hold.write(lambda record, now: transitions.restoring(record, slot, now, seconds))",
                "None",
            ),
        ),
        "rollback/test_ways_back.py::test_a_retired_version_is_brought_up_in_a_new_slot",
    ),
    "a retry goes on with the slot of the killed one": (
        (Change(engine._reserve, "kept is not None and kept.state is SlotState.WARM"),),
        "rollback/test_kills.py::test_a_cold_rollback_that_is_killed_and_retried",
    ),
    "the artifact is the one that was": (
        (Change(Platform.recorded_launch, "stored.digest != slot.digest"),),
        "rollback/test_ways_back.py::test_an_artifact_that_is_stored_no_longer_as_it_was",
    ),
    "the launch is that of the artifact": (
        (Change(launch_recipe.recall, "recipe.artifact.digest != slot.digest"),),
        "rollback/test_ways_back.py::test_a_launch_of_another_artifact",
    ),
    "what is left of the old slot will do": (
        (Change(engine._bring_up, "status is None or status.ready == 0", "True"),),
        "rollback/test_ways_back.py::test_what_is_left_of_the_old_slot",
    ),
    # What a person has edited
    "users who were sent back by hand stay": (
        (Change(roll_back.adopting, "is_undone and by_hand"),),
        "rollback/test_drift.py::test_users_whom_a_person_sent_to_the_old_version",
    ),
    "nobody is followed to where nothing stands": (
        (Change(roll_back.adopting, "_serves(target, record)", "True"),),
        "rollback/test_drift.py::test_a_person_who_sent_users_to_where_nothing_stands",
    ),
    # What follows
    "a killed rollback is put into quarantine by who confirms it": (
        (Change(conclude.confirm, "record.moved_by is MovedBy.ROLLBACK"),),
        "rollback/test_kills.py::test_the_reconciler_alone_ends_what_has_moved_traffic",
    ),
    "also by a person who accepts it": (
        (
            Change(
                transitions.observed_adopted,
                "return record\n",
                "return confirmed(record)\n",
            ),
        ),
        "rollback/test_unverified.py::test_a_person_who_accepts_what_a_killed_rollback_had_moved",
    ),
    "a person may accept what nobody can verify": (
        (Change(repair.repair, 'to == "observed"'),),
        "rollback/test_unverified.py::test_a_fix_waits_for_it_unless_a_person_accepts_it",
    ),
    "an unverified one is put into quarantine all the same": (
        (Change(engine.quarantine, "condemn(hold, platform.target, reason)", "None"),),
        "rollback/test_unverified.py::test_the_bad_version_is_in_quarantine_all_the_same",
    ),
    "what is not verified is not confirmed": (
        (Change(engine.quarantine, "done.verified", "True"),),
        "rollback/test_unverified.py::test_traffic_stays_unconfirmed_on_the_old_version",
    ),
    "a rollback is never switched back": (
        (
            Change(
                reconcile._settle_traffic,
                "record.moved_by is not MovedBy.RELEASE",
            ),
        ),
        "rollback/test_unverified.py::test_the_reconciler_verifies_it_again",
    ),
    "an event is told once": (
        (Change(events.write, "ledger.get(KIND, event.key) is not None"),),
        "rollback/test_kills.py::test_an_event_that_is_in_the_history_is_not_brought_there_again",
    ),
    "the switch that is undone is told, too": (
        (Change(roll_back.roll_back, "not record.confirmed"),),
        "rollback/test_preemption.py::test_a_release_that_was_not_confirmed_yet_is_told_as_well",
    ),
    "a release that was undone has not gone through": (
        (
            Change(
                reconcile._ended_as,
                "record.moved_by is MovedBy.ROLLBACK and record.undone == release_id",
            ),
        ),
        "rollback/test_preemption.py::test_a_release_is_undone_at_any_call_of_its_own_switch",
    ),
    "what waits loses its reservation": (
        (Change(transitions.rolled_back, "k.state is SlotState.WAITING"),),
        "rollback/test_preemption.py::test_a_release_that_waits_loses_its_reservation",
    ),
    "what was quarantined is not released": (
        (Change(restrictions.require_not_quarantined, "document is None", "True"),),
        "rollback/test_quarantine.py::test_it_is_refused_before_anything_is_started",
    ),
    "nor by a release under way": (
        (Change(release_engine.switch, "require_unrestricted(attempt, plan, artifact)", "None"),),
        "rollback/test_quarantine.py::test_a_release_under_way_stops_before_its_switch",
    ),
    "an undone release is not gone on with": (
        (
            Change(
                release_attempt.Attempt._require_same_target,
                "record.undone == plan.release_id and record.moved_by is MovedBy.ROLLBACK",
            ),
        ),
        "rollback/test_quarantine.py::test_not_even_once_it_is_lifted",
    ),
    # What holds alerts back
    "a snooze holds alerts back": (
        (Change(assessment._require_allowed, "snoozed is not None"),),
        "rollback/test_flapping.py::test_a_snooze_refuses_alerts_and_no_person",
    ),
    "a person is not held back": (
        (Change(assessment.assess, "request.automatic", "True"),),
        "rollback/test_flapping.py::test_a_snooze_refuses_alerts_and_no_person",
    ),
    "an alert undoes a release once": (
        (
            Change(
                assessment._require_allowed,
                "any(each.release_id == release_id for each in record.automatic)",
            ),
        ),
        "rollback/test_flapping.py::test_a_release_that_was_undone_and_brought_back",
    ),
    "alerts undo a few releases a day": (
        (Change(assessment._require_allowed, "made >= limit"),),
        "rollback/test_flapping.py::test_no_alert_undoes_a_release_of_a_service_that_has_flapped",
    ),
    "an automatic rollback is counted": (
        (Change(transitions.rolled_back, "if automatic", "if False"),),
        "rollback/test_flapping.py::test_each_automatic_rollback_is_counted_in_the_write",
    ),
    "flapping freezes": (
        (
            Change(
                restrictions.frozen,
                "limit and automatic_today(ledger, record, now) >= limit",
            ),
        ),
        "rollback/test_flapping.py::test_after_so_many_in_a_day_the_service_is_frozen",
    ),
    "a freeze does not thaw": (
        (Change(restrictions.stay_frozen, "found is not None"),),
        "rollback/test_flapping.py::test_it_stays_frozen_until_a_person_unfreezes_it",
    ),
    "nor that of a killed rollback": (
        (
            Change(
                reconcile._settle_traffic,
                "restrictions.stay_frozen(target.ledger, record, limit, reading.now)",
                "None",
            ),
        ),
        "rollback/test_flapping.py::test_also_where_the_last_rollback_was_killed",
    ),
    "unfreezing starts the count anew": (
        (Change(restrictions.automatic_today, "unfrozen is not None"),),
        "rollback/test_flapping.py::test_unfreezing_starts_the_count_anew",
    ),
    "a freeze stops a release under way": (
        (Change(release_engine.switch, "require_unrestricted(attempt, plan, artifact)", "None"),),
        "rollback/test_flapping.py::test_a_release_under_way_stops_before_its_switch",
    ),
    # Whether the old version works with the present schema
    "what was proved not to work is refused": (
        (Change(assessment._proved, "works is False"),),
        "rollback/test_schema.py::test_nobody_goes_back_to_what_was_proved_not_to_work",
    ),
    "what nobody has tried is no proof": (
        (Change(assessment._proved, "works is True", "True"),),
        "rollback/test_schema.py::test_what_nobody_has_tried_is_smoked_before_users_get_it",
    ),
    "an unreadable schema is no proof": (
        (
            Change(
                assessment._proved,
                "schema is None:\n        return False",
                "schema is None:\n        return True",
            ),
        ),
        "rollback/test_schema.py::test_a_database_that_does_not_answer_proves_nothing",
    ),
    "what is unproved is smoked": (
        (Change(engine.restore_previous, "not found.proved"),),
        "rollback/test_schema.py::test_an_alert_does_not_go_back_to_what_fails_now",
    ),
    "an alert does not insist": (
        (Change(engine._prove, "attempt.request.automatic"),),
        "rollback/test_schema.py::test_an_alert_does_not_go_back_to_what_fails_now",
    ),
    "a person may insist": (
        (Change(engine._prove, "attempt.request.automatic", "True"),),
        "rollback/test_schema.py::test_a_person_may_insist_and_it_is_said",
    ),
}


@pytest.mark.parametrize("rule", list(RULES))
def test_without_a_rule_its_story_fails(rule: str) -> None:
    changes, story = RULES[rule]
    require_told(story, *changes)
