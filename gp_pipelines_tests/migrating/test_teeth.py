"""Take one rule of the gate, or of the contract phase, out: the story that tells of it fails."""

import pytest

from gp_pipelines import status
from gp_pipelines.cleanup import contraction
from gp_pipelines.migrating import apply, gate, rehearsal
from gp_pipelines.release import engine, planning
from gp_pipelines_tests.faults.taken_out import Change
from gp_pipelines_tests.faults.teeth import require_told

GATE = "migrating/test_gate.py::"
CONTRACT = "cleanup/test_contraction.py::"
RULES: dict[str, tuple[Change, str]] = {
    "findings stop a release": (
        Change(gate.require_passed, "not accepted", "False"),
        f"{GATE}test_what_needs_a_persons_word_stops",
    ),
    "a note stops nothing": (
        Change(gate.require_passed, "is not Verdict.COMPATIBLE", "is not None"),
        f"{GATE}test_a_note_stops_nothing",
    ),
    "a person may accept them": (
        Change(gate.require_passed, "and not accepted", ""),
        f"{GATE}test_a_person_may_accept_findings",
    ),
    "a reason has words": (
        Change(planning.plan, "request.accept_findings.strip()", "request.accept_findings"),
        f"{GATE}test_a_reason_of_blanks_is_none",
    ),
    "the live version is rehearsed": (
        Change(rehearsal.versions_of, "(record.live, record.previous)", "(record.previous,)"),
        f"{GATE}test_the_live_version_is_smoked_on_the_shadow",
    ),
    "so is what a rollback goes back to": (
        Change(rehearsal.versions_of, "(record.live, record.previous)", "(record.live,)"),
        f"{GATE}test_the_way_back_is_closed_to_an_older_version",
    ),
    "a live version that fails breaks": (
        Change(gate._finding, "is_live = tried.slot == record.live", "is_live = False"),
        f"{GATE}test_the_live_version_is_smoked_on_the_shadow",
    ),
    "what fails without the migrations as well says nothing": (
        Change(rehearsal._compared, "before.works is False"),
        f"{GATE}test_what_fails_without_the_migrations_as_well",
    ),
    "what is cold is only noted": (
        Change(gate._finding, "_is_warm(tried.slot, record)", "True"),
        f"{GATE}test_one_that_is_not_warm_any_more_is_only_noted",
    ),
    "what was proved is noted before anything is applied": (
        Change(apply._judge, "each.works is not None"),
        f"{GATE}test_a_rollback_during_the_release_knows",
    ),
    "what was accepted may break": (
        Change(apply._live_on_new_schema, "is not Verdict.BREAKING", "is not None"),
        f"{GATE}test_the_release_goes_on_where_a_person_accepted",
    ),
    "what was not announced may not": (
        Change(apply._live_on_new_schema, "judgement.report.verdict is not Verdict.BREAKING"),
        f"{GATE}test_a_live_version_that_fails_unexpectedly",
    ),
    "the findings stay with the release": (
        Change(apply.Migrated.facts, "is not Verdict.COMPATIBLE", "is None"),
        f"{GATE}test_a_person_may_accept_findings",
    ),
    "migrations that nobody has released are refused": (
        Change(engine._require_known, "is_newest:", "False:"),
        f"{GATE}test_migrations_that_nobody_has_released",
    ),
    "but for an older version": (
        Change(engine._require_known, "and is_newest", ""),
        f"{GATE}test_an_older_version_than_one_that_was_released",
    ),
    "no older slot stands": (
        Change(contraction._require_alone, "if older", "if False"),
        f"{CONTRACT}test_nothing_is_taken_away_while_an_older_slot_stands",
    ),
    "no release waits": (
        Change(contraction._require_alone, "if older", "if False"),
        f"{CONTRACT}test_a_release_that_waits_is_waited_for",
    ),
    "it is not due while one stands": (
        Change(contraction.is_due, "_older(record)"),
        f"{CONTRACT}test_nothing_is_taken_away_while_an_older_slot_stands",
    ),
    "nor while somebody holds the fence": (
        Change(contraction.is_due, "record.holder"),
        f"{CONTRACT}test_it_is_not_due_while_somebody_holds_the_fence",
    ),
    "only where services.yaml says so": (
        Change(contraction.is_due, "not database.contract.automatic"),
        f"{CONTRACT}test_it_is_nobodys_job",
    ),
    "what waits for a person is not tried again and again": (
        Change(
            contraction.is_due,
            "contractions.found(platform.target.ledger, record.live.release_id) is None",
            "True",
        ),
        f"{CONTRACT}test_it_waits_for_a_person",
    ),
    "status says what the schema closes": (
        Change(status._closed_by_schema, "proof is None or proof.works", "True"),
        f"{CONTRACT}test_a_rollback_below_it_is_closed",
    ),
}


@pytest.mark.parametrize("rule", list(RULES))
def test_without_a_rule_its_story_fails(rule: str) -> None:
    change, story = RULES[rule]
    require_told(story, change)
