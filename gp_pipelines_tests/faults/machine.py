"""Everything that may happen to a service at once, drawn at random; the rules watch all the while.

Programs (releases, promotions, rollbacks, cleanups, reconcilers, those of a second Dagster too:
nothing tells them apart) run a few calls at a time, interleaved, and are killed, frozen, woken and
interrupted at any call.
"""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gp_pipelines import restrictions
from gp_pipelines.cleanup.reconcile import strays
from gp_pipelines.errors import GpError
from gp_pipelines.model import Color, MovedBy
from gp_pipelines.release.planning import ReleaseRequest
from gp_pipelines.rollback.request import RollbackRequest
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.fake_target import FakeTarget, World, with_ready
from gp_pipelines_tests.faults.program import Clock, Program, State
from gp_pipelines_tests.faults.programs import Release
from gp_pipelines_tests.faults.rules import Rules
from gp_pipelines_tests.faults.story import AN_ALERT

AT_ONCE = 3  # programs
CALLS = st.sampled_from([1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 5000, 5000])
SOME = st.sampled_from(range(12))  # which of those that there are
FATES = st.sampled_from(["good", "good", "broken", "broken", "fails_smoke", "never_ready"])
AHEAD = st.sampled_from([0, 0, 0, -1, -2, -7, 1, 2])  # steps
RARELY = st.sampled_from([False, False, True])
JUMPS = st.sampled_from([-4000.0, -30.0, 30.0, 4000.0])  # seconds
EVERYTHING_IS_DUE = 200.0  # seconds
EVERYTHING_IS_DUE_BY_ANY_CLOCK = 100_000.0


class TrafficMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World("api")
        self.clock = Clock(self.world)
        self.programs: list[Program] = []
        self.releases: list[Release] = []
        self.asked: list[RollbackRequest] = []

    @initialize(keep=st.sampled_from([0, 20]), retention=st.sampled_from([0, 60]))
    def begin(self, keep: float, retention: float) -> None:
        self.service = programs.a_service(keep_failed_seconds=keep, retention_seconds=retention)
        self.watch = Rules(self.world, self.service)

    # What people and schedules start

    @precondition(lambda self: self.room())
    @rule(version=st.sampled_from("12345"), manual=RARELY, fate=FATES, calls=CALLS)
    def release(self, version: str, manual: bool, fate: str, calls: int) -> None:
        release_id = f"{len(self.releases) + 1:08d}-release"
        if fate != "good":
            getattr(self.world, fate).add(release_id)
        request = ReleaseRequest(version, redeploy=True, allow_downgrade=True, manual=manual)
        release = Release(release_id, request)
        self.releases.append(release)
        self.run_of(release, "plan", calls)

    @precondition(lambda self: self.room())
    @rule(version=st.sampled_from("12345"))
    def good_release(self, version: str) -> None:
        """So that most of what happens happens to a service that has releases."""
        self.release(version, False, "good", 5000)

    @precondition(lambda self: self.room() and self.resumable())
    @rule(which=SOME, ahead=AHEAD, healed=st.booleans(), calls=CALLS)
    def execute_again(self, which: int, ahead: int, healed: bool, calls: int) -> None:
        """From the step where it ended, or an earlier one, or leaving some out."""
        candidates = self.resumable()
        release = candidates[which % len(candidates)]
        if healed:
            for fate in (self.world.broken, self.world.fails_smoke, self.world.never_ready):
                fate.discard(release.release_id)
        step = min(max(programs.STEPS.index(release.next_step) + ahead, 0), len(programs.STEPS) - 1)
        self.run_of(release, programs.STEPS[step] if release.plan else "plan", calls)

    @precondition(lambda self: self.room() and self.resumable())
    @rule(which=SOME, ahead=st.sampled_from([1, 2]))
    def execute_again_and_leave_steps_out(self, which: int, ahead: int) -> None:
        self.execute_again(which, ahead, True, 5000)

    @precondition(lambda self: self.room())
    @rule(
        what=st.sampled_from(
            [
                programs.run_promotion,
                programs.run_promotion,
                programs.run_rejection,
                programs.run_cleanup,
                programs.run_cleanup,
                programs.run_reconciler,
                programs.run_reconciler,
            ]
        ),
        calls=CALLS,
    )
    def start(self, what, calls: int) -> None:
        self.launch(lambda program: what(program, self.service), calls)

    @precondition(lambda self: self.room() and self.world.record.live)
    @rule(by_alert=st.booleans(), now=RARELY, calls=CALLS)
    def roll_back(self, by_alert: bool, now: bool, calls: int) -> None:
        """What is live, as whoever asks sees it."""
        live = self.world.record.live
        assert live is not None
        alert = AN_ALERT if by_alert else None
        self.asked.append(RollbackRequest(live.release_id, "bad", alert, now and not by_alert))
        self.run_of_rollback(self.asked[-1], calls)

    @precondition(lambda self: self.room() and self.world.record.previous)
    @rule(by_alert=st.booleans())
    def whole_rollback(self, by_alert: bool) -> None:
        self.roll_back(by_alert, False, 5000)

    @precondition(lambda self: self.room() and self.asked)
    @rule(which=SOME, calls=CALLS)
    def ask_for_the_same_rollback(self, which: int, calls: int) -> None:
        """A second feed, a second Dagster, a retry; at once or long after."""
        self.run_of_rollback(self.asked[-1 - which % len(self.asked)], calls)

    @precondition(lambda self: self.room() and self.world.record.live)
    @rule(observed=st.sampled_from([Color.BLUE, Color.GREEN, None]), calls=CALLS)
    def edit_by_hand_and_roll_back(self, observed: Color | None, calls: int) -> None:
        """The person takes it back, unless something has replaced it."""
        self.world.edit(observed)
        self.roll_back(by_alert=False, now=False, calls=calls)
        self.world.edits, self.world.observed = (), None

    @precondition(lambda self: self.world.record.confirmed)
    @rule()
    def a_person_lifts_what_was_put_up(self) -> None:
        """Quarantine and freeze, so that releases go on."""
        for kind, key in list(self.world.documents):
            if kind == restrictions.QUARANTINE:
                del self.world.documents[kind, key]
        restrictions.unfreeze(FakeTarget(self.world).ledger, "ann", "it was ours", self.world.now)

    # What happens to programs

    @precondition(lambda self: self.those(State.WORKING))
    @rule(which=SOME, calls=CALLS)
    def go_on(self, which: int, calls: int) -> None:
        self.one(State.WORKING, which).go(calls)

    @precondition(lambda self: self.those(State.WORKING))
    @rule(which=SOME, then=st.sampled_from(["nothing", "kill", "freeze", "interrupt"]))
    def go_on_until_confirmation_turns(self, which: int, then: str) -> None:
        """To the moments in which most is at stake, which few calls hit by chance."""
        program, confirmed = self.one(State.WORKING, which), self.world.record.confirmed
        for _ in range(300):
            if program.can_go and self.world.record.confirmed is confirmed:
                program.go(1)
        if program.can_go and then != "nothing":
            getattr(program, then)()
        if program.can_go and then == "interrupt":
            program.go(5000)

    @precondition(lambda self: self.those(State.WORKING))
    @rule(which=SOME)
    def kill(self, which: int) -> None:
        self.one(State.WORKING, which).kill()

    @precondition(lambda self: self.those(State.WORKING))
    @rule(which=SOME)
    def freeze(self, which: int) -> None:
        self.one(State.WORKING, which).freeze()

    @precondition(lambda self: self.those(State.FROZEN))
    @rule(which=SOME, calls=CALLS)
    def wake(self, which: int, calls: int) -> None:
        program = self.one(State.FROZEN, which)
        program.wake()
        program.go(calls)

    @precondition(lambda self: self.those(State.WORKING))
    @rule(which=SOME, calls=CALLS)
    def interrupt(self, which: int, calls: int) -> None:
        program = self.one(State.WORKING, which)
        program.interrupt()
        program.go(calls)

    # What happens to the target

    @rule(seconds=st.sampled_from([1, 3, 16, 70]))
    def time_goes_by(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=JUMPS)
    def the_targets_clock_jumps(self, seconds: float) -> None:
        """Deadlines come early or late then; that is all that may follow."""
        self.world.jump(seconds)

    @precondition(lambda self: self.world.record.live and self.world.record.confirmed)
    @rule()
    def the_live_version_goes_bad(self) -> None:
        """After its verification."""
        live = self.world.record.live
        assert live is not None
        self.world.broken.add(live.release_id)

    @precondition(lambda self: self.world.broken)
    @rule()
    def what_is_broken_recovers(self) -> None:
        self.world.broken.clear()

    @precondition(lambda self: self.world.slots and self.world.record.holder is None)
    @rule(which=SOME, ready=st.sampled_from([0, 1]))
    def replicas_die(self, which: int, ready: int) -> None:
        """Of a slot that takes no traffic, and that nobody is about to switch to."""
        record = self.world.record
        idle = [name for name in self.world.slots if not record.live or name != record.live.name]
        if idle:
            name = idle[which % len(idle)]
            self.world.slots[name] = with_ready(self.world.slots[name], ready)

    @precondition(lambda self: self.those(State.WORKING))
    @rule(which=SOME, calls=CALLS)
    def target_is_away(self, which: int, calls: int) -> None:
        self.world.unavailable = True
        self.one(State.WORKING, which).go(calls)
        self.world.unavailable = False

    @precondition(lambda self: self.those(State.WORKING))
    @rule(which=SOME, calls=CALLS)
    def answer_is_lost(self, which: int, calls: int) -> None:
        self.world.answers_lost = 1
        self.one(State.WORKING, which).go(calls)
        self.world.answers_lost = 0

    # What must hold

    @invariant()
    def rules_hold(self) -> None:
        assert not self.watch.broken, self.watch.broken
        for program in self.programs:
            expected = program.error is None or isinstance(
                program.error, GpError | KeyboardInterrupt
            )
            assert expected, (program.run_id, repr(program.error))

    def teardown(self) -> None:
        try:
            if hasattr(self, "rules"):
                self.everything_settles()
        finally:
            for program in self.programs:
                program.clean_up()

    def everything_settles(self) -> None:
        """Once nothing goes wrong any more, a reconciler and a cleanup leave nothing undone."""
        for program in self.those(State.WORKING):
            program.kill()
        self.settle()
        for program in self.those(State.FROZEN):  # they go on as if nothing had happened
            program.wake()
            program.finish()
        self.settle()
        self.release_goes_through()
        self.rules_hold()

    def heal(self) -> None:
        """What an unverified release goes back to; and what is never gone back from."""
        record = self.world.record
        old = record.previous
        stuck = record.moved_by is not MovedBy.RELEASE or (old and not self.world.ready(old.name))
        if stuck and not record.confirmed:
            self.world.broken.clear()
        elif old is not None:
            self.world.broken.discard(old.release_id)

    def settle(self) -> None:
        self.heal()
        for what in (programs.run_reconciler, programs.run_cleanup):
            self.finish(lambda program, what=what: what(program, self.service))
            self.clock.advance(EVERYTHING_IS_DUE)
            self.world.jump(EVERYTHING_IS_DUE_BY_ANY_CLOCK)
        self.finish(lambda program: programs.run_cleanup(program, self.service))
        record, standing = self.world.record, list(self.world.slots.values())
        self.rules_hold()
        assert record.confirmed, "traffic stays unconfirmed"
        assert record.holder is None, "the fence is not free"
        assert not strays(record, standing), "a slot stands that nobody knows"
        known = {kept.slot for kept in record.kept} | {record.live}
        assert {status.slot for status in standing} == known - {None}, "a slot is missing"
        assert {kept.state for kept in record.kept} <= {"waiting"}, "not everything was retired"

    def release_goes_through(self) -> None:
        if self.world.record.waiting is not None:
            self.finish(lambda program: programs.run_rejection(program, self.service))
        self.a_person_lifts_what_was_put_up()
        release = Release("next-release", ReleaseRequest("6"))
        self.finish(lambda p: programs.run_release(p, self.service, release, "plan"))
        record = self.world.record
        assert record.confirmed
        assert record.live is not None
        assert record.live.release_id == release.release_id

    # How it is done

    def room(self) -> bool:
        return len(self.those(State.WORKING)) < AT_ONCE

    def those(self, state: State) -> list[Program]:
        return [program for program in self.programs if program.state is state]

    def one(self, state: State, which: int) -> Program:
        those = self.those(state)
        return those[which % len(those)]

    def resumable(self) -> list[Release]:
        """Dagster goes on with a run that has ended; a frozen one might still act for it."""
        return [
            release
            for release in self.releases
            if release.run
            and release.run.state in (State.DEAD, State.ENDED)
            and len(release.passed) < len(programs.STEPS)
        ]

    def run_of(self, release: Release, from_step: str, calls: int) -> None:
        release.run = self.launch(
            lambda program: programs.run_release(program, self.service, release, from_step), calls
        )

    def run_of_rollback(self, request: RollbackRequest, calls: int) -> None:
        self.launch(lambda program: programs.run_rollback(program, self.service, request), calls)

    def launch(self, work, calls: int) -> Program:
        program = Program(self.world, self.clock, f"run-{len(self.programs) + 1}", work)
        self.programs.append(program)
        program.go(calls)
        return program

    def finish(self, work) -> None:
        program = self.launch(work, 0)
        program.finish()
        assert program.error is None, (program.run_id, repr(program.error), program.said)
