"""Take one rule out of the engine, and the state machine finds what goes wrong then.

So that the machine can't pass because it looks at nothing. Rules whose breach needs a rare chain
of events are not here, but are told as stories beside what they are rules of. A rule that is not
where it was fails its test here too: say then where it is now.
"""

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from gp_pipelines.cleanup import engine as cleanup
from gp_pipelines.cleanup import reconcile
from gp_pipelines.release import deployment, evidence, planning
from gp_pipelines.traffic import (
    conclude,
    fence,
    liveness,
    retire,
    switch,
    transitions,
    verify,
)
from gp_pipelines_tests.faults.machine import TrafficMachine
from gp_pipelines_tests.faults.scripted import scripted
from gp_pipelines_tests.faults.taken_out import Change, changed

RULES: dict[str, tuple[Change, ...]] = {
    "the fence is compared before each change": (
        Change(fence.Hold.read, "(record.fence, record.holder) != (self.fence, self.holder)"),
    ),
    "a living holder keeps the fence": (
        Change(fence.take, "present is not None and present.run_id != holder.run_id"),
    ),
    "a holder is dead after 15 s of silence, not before": (
        Change(liveness.watch_until_dead, "quiet < DEAD_AFTER_SECONDS", "quiet < 3"),
    ),
    "the copy knows each fence": (Change(fence._swap, "store.write_copy(written.record)", "None"),),
    "no switch without evidence": (
        Change(evidence.require, "for step in steps", "for step in ()"),
    ),
    "no confirmation without verification": (Change(switch.switch, "not seen.passed"),),
    "a reconciler confirms only what it has verified": (
        Change(reconcile._settle_traffic, "seen.passed", "True"),
    ),
    "verified is what the live release answers": (
        Change(verify._is_right, "if not answer.ok", "if False"),
    ),
    "traffic that is not verified goes back": (
        Change(reconcile._settle_traffic, "record.moved_by is not MovedBy.RELEASE", "True"),
    ),
    "nothing is retired while unconfirmed": (
        Change(retire.retire, "require_confirmed(reading.record)", "pass"),
        Change(cleanup.due, "not record.confirmed"),
    ),
    "nothing is retired before its time": (Change(cleanup.due, "kept.deadline <= now", "True"),),
    "a retirement is told before it is done": (
        Change(retire.retire, "kept is not None and kept.state is not SlotState.RETIRING"),
    ),
    "a waiting slot keeps its reservation": (
        Change(planning._require_settled, "record.waiting is not None"),
        Change(deployment._clear_idle_color, "kept.state is SlotState.WAITING"),
    ),
    "a switch remembers what was live": (
        Change(transitions.switched, "previous=record.live", "previous=None"),
    ),
    "the old slot has a deadline": (Change(transitions.switched, "record.live is not None"),),
    "a dead run's slot is removed": (
        Change(reconcile.reconcile, "remove(hold, platform.target, slot, drain, progress)", "pass"),
    ),
    "a dead run's retirement is finished": (
        Change(reconcile.reconcile, "kept.state is SlotState.RETIRING"),
    ),
    "nothing leads back from a rollback": (
        Change(transitions._went_back, "previous=None", "previous=undone"),
    ),
    "a confirmed rollback has put what it undid into quarantine": (
        Change(conclude.confirm, "record.moved_by is MovedBy.ROLLBACK"),
    ),
    "a slot to go back to is reserved": (
        Change(transitions.restoring, "kept=(*_without(record.kept, slot.name), kept)", "kept=()"),
    ),
    "automatic rollbacks are counted": (
        Change(transitions.rolled_back, "(*record.automatic, *counted)", "counted"),
    ),
    "the last word is a free fence": (
        Change(
            fence.Hold.leave, "self.write(lambda record, now: transitions.left(record))", "pass"
        ),
    ),
}


@pytest.mark.parametrize("rule", list(RULES))
def test_without_a_rule_the_machine_finds_what_goes_wrong(rule: str) -> None:
    stories = seed(1)(type("Stories", (TrafficMachine,), {}))
    with scripted(), changed(*RULES[rule]), pytest.raises(AssertionError) as found:
        run_state_machine_as_test(
            stories,
            settings=settings(
                max_examples=1500,
                stateful_step_count=50,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert "Error(" not in str(found.value), "the change made no sense to Python"
