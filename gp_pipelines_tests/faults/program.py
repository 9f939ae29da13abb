"""Programs that work on one target, each a few calls at a time, as the test lets them.

A program is a thread that runs only when it is given a turn, so that two of them interleave in any
way and yet always in the same one. It can be killed (it never runs another line), frozen (it shows
no sign of life, and goes on later as if nothing had happened) and interrupted (as by Dagster when a
person ends a run: an exception from out of nowhere).
"""

import threading
from collections.abc import Callable
from enum import Enum, auto

from gp_pipelines_tests.faults.fake_target import FakeTarget, World

BEAT_SECONDS = 2.0
_here = threading.local()


def this_program() -> "Program":
    """The program that runs the code that asks."""
    program: Program = _here.program
    return program


class State(Enum):
    WORKING = auto()
    FROZEN = auto()
    DEAD = auto()
    ENDED = auto()


class Gone(BaseException):
    """Unwinds the thread of a dead program when the test is over. It can't change anything."""


class Program:
    """`work` runs with this program; its `target`, `clock` and `sleep` are what it may use."""

    def __init__(
        self, world: World, clock: "Clock", run_id: str, work: Callable[["Program"], object]
    ) -> None:
        self.run_id = run_id
        self.clock = clock
        self.world = world
        self.target = FakeTarget(world, self._before)
        self.state = State.WORKING
        self.error: BaseException | None = None
        self.gave: object = None  # what its work returned
        self.said: list[str] = []
        self.last_call = ""  # the one that it makes next, or has just made
        self.beating = False
        self._work = work
        self._calls = 0
        self._interrupted = False
        self._gone = False
        self._turn = threading.Semaphore(0)
        self._turn_over = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name=run_id, daemon=True)
        self._thread.start()

    @property
    def can_go(self) -> bool:
        return self.state is State.WORKING

    def go(self, calls: int) -> None:
        """Let it make so many calls to its target, or come to its end."""
        self._calls = calls
        self._turn.release()
        self._turn_over.acquire()

    def finish(self, most: int = 100_000) -> None:
        while self.can_go:
            assert most > 0, f"{self.run_id} does not come to an end: {self.said[-3:]}"
            self.go(500)
            most -= 500

    def kill(self) -> None:
        self.state = State.DEAD
        self.clock.forget(self)

    def freeze(self) -> None:
        assert self.can_go
        self.state = State.FROZEN

    def wake(self) -> None:
        self.state = State.WORKING

    def interrupt(self) -> None:
        self._interrupted = True

    def clean_up(self) -> None:
        """End the thread, without another change of anything."""
        self._gone = True
        if self._thread.is_alive():
            self._turn.release()
            self._thread.join()

    def progress(self, line: str) -> None:
        self.said.append(line)

    def monotonic(self) -> float:
        return self.world.seconds

    def sleep(self, seconds: float) -> None:
        self._before("sleep")
        self.clock.advance(seconds)

    def _run(self) -> None:
        _here.program = self
        self._turn.acquire()
        try:
            self.gave = self._work(self)
        except Gone:
            return
        except BaseException as error:
            self.error = error
        self.state = State.ENDED
        self.clock.forget(self)
        self._turn_over.release()

    def _before(self, call: str) -> None:
        self.world.acting = self.run_id
        if self.beating:
            return
        self.last_call = call
        while self._calls == 0 and not self._gone:
            self._turn_over.release()
            self._turn.acquire()
            self.world.acting = self.run_id
        if self._gone:
            raise Gone
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
        self._calls -= 1


class Clock:
    """The time of the target and of all programs. As it goes by, the hearts of the living beat."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hearts: list[ScriptedHeart] = []

    def start(self, heart: "ScriptedHeart") -> None:
        heart.next = self._world.seconds + BEAT_SECONDS
        self._hearts.append(heart)

    def advance(self, seconds: float) -> None:
        until, acting = self._world.seconds + seconds, self._world.acting
        while due := [heart for heart in self._hearts if heart.next <= until]:
            first = min(due, key=lambda heart: heart.next)
            self._world.seconds = max(self._world.seconds, first.next)
            first.next += BEAT_SECONDS
            if first.program.can_go and not first.beat_once():
                self.stop(first)
        self._world.seconds, self._world.acting = until, acting

    def stop(self, heart: "ScriptedHeart") -> None:
        self._hearts = [each for each in self._hearts if each is not heart]

    def forget(self, program: Program) -> None:
        self._hearts = [heart for heart in self._hearts if heart.program is not program]


class ScriptedHeart:
    """Stands in for `traffic.heart.Heart`."""

    def __init__(self, beat: Callable[[], bool]) -> None:
        self.program = this_program()
        self.next = 0.0
        self._beat = beat
        self.program.clock.start(self)

    def stop(self) -> None:
        self.program.clock.stop(self)

    def beat_once(self) -> bool:
        self.program.beating = True
        try:
            return self._beat()
        finally:
            self.program.beating = False
