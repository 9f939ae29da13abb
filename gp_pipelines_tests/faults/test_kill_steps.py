"""kill -9 of a release at each of its steps, on the real local target, under load.

All kills happen side by side, each to a service of its own, because each then takes the 15 s of
silence that prove a death.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from gp_pipelines.cleanup.reconcile import unfinished
from gp_pipelines.model import Slot, TrafficRecord
from gp_pipelines_tests.faults.kill_steps import (
    Kill,
    Place,
    end_what_is_left,
    release,
    with_short_times,
)
from gp_pipelines_tests.faults.kill_steps import killed as killed_at
from gp_pipelines_tests.load import Load
from gp_pipelines_tests.load.results import Results
from gp_pipelines_tests.targets.local.live_stack import LiveStack
from gp_pipelines_tests.targets.local.local_subject import LocalSubject

RATE = 10.0  # requests a second, for each service
PATIENCE = 15.0  # seconds for an answer: thirteen stacks of processes share a small machine

KILLS = {
    "the fence is taken": (Kill("traffic", "write", after=True), "v1"),
    "the fence is taken, and its copy not written": (Kill("traffic", "write_copy"), "v1"),
    "the slot is about to start": (Kill("slots", "start"), "v1"),
    "the slot has begun to start": (Kill("slots", "start", after=True), "v1"),
    "the slot is ready": (Kill("traffic", "write_color"), "v1"),
    "the slot is behind its color": (Kill("traffic", "write_color", after=True), "v1"),
    "smoke has passed": (Kill("ledger", "put", after=True, count=7), "v1"),
    "the color is stamped for the switch": (
        Kill("traffic", "write_color", after=True, count=2),
        "v1",
    ),
    "traffic has moved, and the copy does not know": (
        Kill("traffic", "write_copy", in_state="moved"),
        "v2",
    ),
    "traffic has moved": (Kill("traffic", "write_copy", after=True, in_state="moved"), "v2"),
    "the switch is being verified": (Kill("entrance", "ask", after=True, in_state="moved"), "v2"),
    "the switch is verified": (Kill("ledger", "put", in_state="moved"), "v2"),
    "the switch is confirmed": (Kill("traffic", "write", after=True, in_state="confirmed"), "v2"),
}


@dataclass
class Killed:
    """One service after all of it."""

    exit_code: int
    record: TrafficRecord  # once the reconciler was there
    slots: set[str]
    left: list[str]
    then: TrafficRecord  # after the next release
    load: Results


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Killed]]:
    root = tmp_path_factory.mktemp("kills")
    with LiveStack(root) as stack, ExitStack() as services, ThreadPoolExecutor(len(KILLS)) as pool:
        subjects = {name: services.enter_context(stack.new_service()) for name in KILLS}
        running: dict[str, Future[Killed]] = {
            name: pool.submit(one_kill, subject, stack.artifact, root / subject.service, name)
            for name, subject in subjects.items()
        }
        yield {name: future.result() for name, future in running.items()}


def one_kill(subject: LocalSubject, artifact: Path, log: Path, name: str) -> Killed:
    kill, _ = KILLS[name]
    place = Place(subject.home, with_short_times(subject.definition), str(artifact))
    target = subject.target
    release(place, "v1", "aaaaaaaa-first")
    with Load(target.entrance.url, log, rate=RATE, timeout=PATIENCE) as load:
        code = killed_at(place, kill, release, "v2", "bbbbbbbb-killed")
        end_what_is_left(place)
        record, standing = target.traffic.read().record, target.slots.list()
        left = unfinished(record, standing)
        release(place, "v3", "cccccccc-next")
        then = target.traffic.read().record
        results = load.stop()
    return Killed(code, record, {s.slot.name for s in standing}, left, then, results)


pytestmark = [pytest.mark.xdist_group("kill_steps"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("step", list(KILLS))
def test_no_request_is_lost_and_the_reconciler_ends_what_was_left(
    killed: dict[str, Killed], step: str
) -> None:
    after = killed[step]
    assert after.exit_code == -9, "it was not killed where it should be"
    assert after.load.failed == 0, after.load.examples()
    assert after.load.requests > RATE * 15
    assert after.left == []
    assert after.record.confirmed
    assert after.record.holder is None
    assert after.slots == expected_slots(after.record)
    assert live(after.record).version == KILLS[step][1]
    assert live(after.then).version == "v3"
    assert after.then.holder is None


def expected_slots(record: TrafficRecord) -> set[str]:
    return {live(record).name} | {kept.slot.name for kept in record.kept}


def live(record: TrafficRecord) -> Slot:
    assert record.live is not None
    return record.live
