"""The fence: what it takes to have it, and that whoever lost it is heard no more."""

from collections.abc import Callable

import pytest

from gp_pipelines.errors import Busy, FenceLost, Refused
from gp_pipelines.model import Color, Holder
from gp_pipelines.services import Service
from gp_pipelines.traffic import colors
from gp_pipelines.traffic.fence import Hold, take
from gp_pipelines.traffic.transitions import numbered
from gp_pipelines_tests.faults import programs
from gp_pipelines_tests.faults.program import Program
from gp_pipelines_tests.faults.story import Story


class Taken:
    """A program that takes the fence, and waits to be told what to do with it."""

    def __init__(self, story: Story) -> None:
        self.holds: list[Hold] = []
        self.then: Callable[[Hold], object] = lambda hold: None
        self.program = story.program(self._work)
        story.go_until(self.program, lambda: self.holds)

    def _work(self, program: Program, service: Service) -> None:
        hold = take(
            program.target.traffic,
            Holder(program.run_id, program.run_id, "release", "a person"),
            program.progress,
            clock=program.monotonic,
            sleep=program.sleep,
        )
        self.holds.append(hold)
        while True:
            program.sleep(1)
            self.then(hold)


def test_taking_the_fence_counts_it_up_and_tells_the_copy(story: Story) -> None:
    for fence in (1, 2, 3):
        taken = Taken(story)
        assert story.record.fence == fence
        assert story.record.holder == taken.holds[0].holder
        assert story.world.copy == story.record
        taken.program.kill()


def test_a_living_holder_is_seen_within_5_seconds(story: Story) -> None:
    holder = Taken(story).program
    before = story.world.seconds
    other = story.run(programs.run_reconciler)
    assert isinstance(other.error, Busy)
    assert holder.run_id in str(other.error)
    assert story.world.seconds - before < 5


def test_a_holder_that_hangs_past_its_step_looks_dead(story: Story) -> None:
    Taken(story)
    story.clock.advance(61)
    assert story.run(programs.run_reconciler).error is None


def test_who_lost_the_fence_can_write_nothing_more(story: Story) -> None:
    taken = Taken(story)
    story.run(lambda program, service: programs.seize_fence(program))
    before = story.record
    taken.then = lambda hold: hold.write(lambda record, now: numbered(record))
    taken.program.finish()
    assert isinstance(taken.program.error, FenceLost)
    assert story.record == before


def test_who_lost_the_fence_puts_nothing_behind_a_color(story: Story) -> None:
    taken = Taken(story)
    story.run(lambda program, service: programs.seize_fence(program))
    before = story.world.colors
    taken.then = lambda hold: colors.point(hold, taken.program.target.traffic, Color.BLUE, None)
    taken.program.finish()
    assert isinstance(taken.program.error, FenceLost)
    assert story.world.colors == before


def test_a_long_work_ends_when_it_next_says_how_far_it_is(story: Story) -> None:
    """As a migration does, whose command then is ended with its whole process group."""
    taken = Taken(story)
    told: list[str] = []
    taken.then = lambda hold: hold.telling(told.append)("still at it")
    story.go_until(taken.program, lambda: told)
    story.world.unavailable = True  # proves nothing
    story.go_until(taken.program, lambda: len(told) > 1)
    story.world.unavailable = False
    story.run(lambda program, service: programs.seize_fence(program))
    before = len(told)
    taken.program.finish()
    assert isinstance(taken.program.error, FenceLost)
    assert len(told) == before


def test_a_color_that_a_stale_run_wrote_last_is_written_again_by_who_holds_the_fence(
    story: Story,
) -> None:
    """The holder read the color before the stale run's write, and so conflicts once."""
    taken = Taken(story)
    store = taken.program.target.traffic
    taken.then = lambda hold: colors.point(hold, store, Color.BLUE, None)
    story.go_until(taken.program, lambda: taken.program.last_call == "write_color")
    stale = story.target.traffic.read_color(Color.BLUE)
    story.target.traffic.write_color(Color.BLUE, None, 0, stale)
    story.go_until(taken.program, lambda: story.world.colors[Color.BLUE].fence == 1)
    assert taken.program.error is None


def test_nothing_else_is_put_behind_the_live_color(story: Story) -> None:
    story.release("1")
    live = story.live
    taken = Taken(story)
    store = taken.program.target.traffic
    taken.then = lambda hold: colors.point(hold, store, live.color, None)
    taken.program.finish()
    assert isinstance(taken.program.error, Refused)
    assert story.world.colors[live.color].slot_name == live.name


def test_a_heart_stops_once_the_fence_is_lost(story: Story) -> None:
    taken = Taken(story)
    story.run(lambda program, service: programs.seize_fence(program))
    story.clock.advance(3)
    before = story.world.beat
    story.clock.advance(10)
    assert story.world.beat == before
    assert taken.program.can_go


def test_the_fence_is_let_go_also_where_the_target_is_away(story: Story) -> None:
    taken = Taken(story)
    taken.then = lambda hold: hold.leave()
    story.world.unavailable = True
    taken.program.go(6)
    story.world.unavailable = False
    assert taken.program.error is None
    story.clock.advance(20)
    taken.program.kill()
    assert story.run(programs.run_reconciler).error is None


@pytest.mark.parametrize("unanswered", [1, 2])
def test_a_write_whose_answer_was_lost_leaves_a_holder_that_falls_silent(
    story: Story, unanswered: int
) -> None:
    story.world.answers_lost = unanswered
    assert story.run(programs.run_reconciler).error is not None
    story.world.answers_lost = 0
    assert story.run(programs.run_reconciler).error is None
    assert story.record.holder is None


def test_a_fence_knows_whose_death_it_was_taken_after(story: Story) -> None:
    taken = Taken(story)
    taken.program.kill()
    after = Taken(story)
    assert after.holds[0].taken_from == taken.holds[0].holder


def test_a_holder_that_let_go_while_it_was_watched_was_not_dead(story: Story) -> None:
    first = Taken(story)
    first.then = lambda hold: hold.leave()
    holds: list[Hold] = []

    def take_after_it(program: Program, service: Service) -> None:
        holder = Holder(program.run_id, program.run_id, "release", "another person")
        store, clock, sleep = program.target.traffic, program.monotonic, program.sleep
        holds.append(take(store, holder, program.progress, clock=clock, sleep=sleep))

    second = story.program(take_after_it)
    second.go(2)  # it has read who holds the fence
    story.go_until(first.program, lambda: story.record.holder is None)
    second.finish()
    assert holds[0].taken_from is None
