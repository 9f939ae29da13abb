"""Other processes that work on the same target: some race, some are killed while they write."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from typing import Any

from gp_pipelines.errors import Conflict
from gp_pipelines.model import Color, Holder, Slot
from gp_pipelines.targets.contract import Launch, Target

_processes = multiprocessing.get_context("spawn")  # nothing of the tests' own process in them
SECONDS = 60.0


def race_for_the_record(open_target: Callable[[], Target], rivals: int, rounds: int) -> list[int]:
    """How many of the rivals won each round: all read, then all write over what they read."""
    return _race(_race_for_the_record, open_target, rivals, rounds)


def race_for_a_color(open_target: Callable[[], Target], rivals: int, rounds: int) -> list[int]:
    return _race(_race_for_a_color, open_target, rivals, rounds)


@contextmanager
def busy_writer(open_target: Callable[[], Target]) -> Iterator[Callable[[], None]]:
    """A process that writes as fast as it can; yields how to kill it. It has begun by then."""
    begun = _processes.Event()
    process = _processes.Process(target=_write_for_ever, args=(open_target, begun))
    process.start()
    try:
        assert begun.wait(SECONDS), "the writer did not begin"
        yield process.kill
        process.join(SECONDS)
        assert not process.is_alive()
    finally:
        process.kill()
        process.join()
        process.close()


def start_killed_after(
    open_target: Callable[[], Target], slot: Slot, launch: Launch, seconds: float
) -> None:
    """Begin to start a slot in a process that is killed that much later."""
    _killed_after(seconds, _start, open_target, slot, launch)


def remove_killed_after(open_target: Callable[[], Target], name: str, seconds: float) -> None:
    """Begin to remove a slot in a process that is killed that much later."""
    _killed_after(seconds, _remove, open_target, name)


@contextmanager
def rehearsing(open_target: Callable[[], Target], slot: Slot, launch: Launch) -> Iterator[str]:
    """The URL of what a process rehearses; it is killed on leaving."""
    url: Any = _processes.SimpleQueue()
    process = _processes.Process(target=_rehearse, args=(open_target, slot, launch, url))
    process.start()
    try:
        yield url.get()
    finally:
        process.kill()
        process.join()
        process.close()


@contextmanager
def meanwhile(ask: Callable[[], object]) -> Iterator["Future[object]"]:
    """The body runs while `ask` does, in a thread, and has had the time to get to the service."""
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        time.sleep(0.3)
        assert not asking.done(), asking.result()
        yield asking


def _killed_after(seconds: float, what: Callable[..., None], *arguments: Any) -> None:
    begun = _processes.Event()
    process = _processes.Process(target=what, args=(*arguments, begun))
    process.start()
    try:
        assert begun.wait(SECONDS)
        time.sleep(seconds)
    finally:
        process.kill()
        process.join()
        process.close()


def _rehearse(open_target: Callable[[], Target], slot: Slot, launch: Launch, url: Any) -> None:
    with open_target().rehearse(slot, launch, SECONDS, print) as found:
        url.put(found)
        time.sleep(SECONDS)


def _race(
    what: Callable[..., None], open_target: Callable[[], Target], rivals: int, rounds: int
) -> list[int]:
    at_once = _processes.Barrier(rivals)
    wins: Any = _processes.SimpleQueue()
    processes = [
        _processes.Process(target=what, args=(open_target, n, rounds, at_once, wins))
        for n in range(rivals)
    ]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join(SECONDS)
            assert process.exitcode == 0
        won = [0] * rounds
        while not wins.empty():
            won[wins.get()] += 1
        return won
    finally:
        for process in processes:
            process.kill()
            process.join()


def _race_for_the_record(
    open_target: Callable[[], Target], me: int, rounds: int, at_once: Barrier, wins: Any
) -> None:
    traffic = open_target().traffic
    holder = Holder(f"run-{me}", f"release-{me}", "release", "rival")
    for number in range(rounds):
        at_once.wait(SECONDS)
        before = traffic.read()
        mine = replace(
            before.record,
            revision=before.record.revision + 1,
            fence=before.record.fence + 1,
            holder=holder,
        )
        at_once.wait(SECONDS)
        try:
            assert traffic.write(mine, before).record == mine
        except Conflict:
            continue
        traffic.write_copy(mine)
        wins.put(number)


def _race_for_a_color(
    open_target: Callable[[], Target], me: int, rounds: int, at_once: Barrier, wins: Any
) -> None:
    traffic = open_target().traffic
    for number in range(rounds):
        at_once.wait(SECONDS)
        before = traffic.read_color(Color.BLUE)
        at_once.wait(SECONDS)
        try:
            traffic.write_color(Color.BLUE, None, before.fence + 1, before)
        except Conflict:
            continue
        wins.put(number)


def _write_for_ever(open_target: Callable[[], Target], begun: Any) -> None:
    target = open_target()
    while True:
        before = target.traffic.read()
        number = before.record.revision + 1
        written = target.traffic.write(replace(before.record, revision=number), before)
        target.traffic.write_copy(written.record)
        color = target.traffic.read_color(Color.BLUE)
        target.traffic.write_color(Color.BLUE, None, number, color)
        target.traffic.renew("run-1", number)
        target.ledger.put("kind", "key", {"number": number, "padding": "x" * 10_000})
        begun.set()


def _start(open_target: Callable[[], Target], slot: Slot, launch: Launch, begun: Any) -> None:
    slots = open_target().slots
    begun.set()
    slots.start(slot, launch)


def _remove(open_target: Callable[[], Target], name: str, begun: Any) -> None:
    slots = open_target().slots
    begun.set()
    slots.remove(name, 10, print)
