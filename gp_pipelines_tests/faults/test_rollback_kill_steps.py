"""kill -9 of a rollback at each of its steps, on the real local target, under load.

What had not moved traffic is asked for again, and goes on at once: a rollback waits for nobody.
What had is confirmed by the reconciler, once 15 s of silence have proved the death. All side by
side, each on a service of its own.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from gp_pipelines import history, restrictions
from gp_pipelines.cleanup.reconcile import unfinished
from gp_pipelines.errors import Refused
from gp_pipelines.model import MovedBy, TrafficRecord
from gp_pipelines.traffic import events
from gp_pipelines_tests.faults.kill_steps import (
    Kill,
    Place,
    clean_up,
    end_what_is_left,
    killed,
    release,
    roll_back,
    with_short_times,
)
from gp_pipelines_tests.load import Load
from gp_pipelines_tests.load.results import Results
from gp_pipelines_tests.targets.local.live_stack import LiveStack
from gp_pipelines_tests.targets.local.local_subject import LocalSubject

pytestmark = [pytest.mark.xdist_group("rollback_kill_steps"), pytest.mark.timeout(300)]

RATE = 10.0  # requests a second, for each service
PATIENCE = 15.0  # seconds for an answer: many stacks of processes share a small machine
BAD = "bbbbbbbb-bad"  # the release that is undone


@dataclass(frozen=True)
class Case:
    kill: Kill
    moved: bool = False  # traffic, by then
    cold: bool = False  # the old slot was retired


KILLS = {
    "the fence is taken, and its copy not written": Case(Kill("traffic", "write_copy")),
    "the fence is taken": Case(Kill("traffic", "write", after=True)),
    "it is noted that a run is at it": Case(Kill("ledger", "put", after=True)),
    "the old color is stamped": Case(Kill("traffic", "write_color", after=True)),
    "traffic has moved, and the copy does not know": Case(
        Kill("traffic", "write_copy", in_state="moved"), moved=True
    ),
    "traffic has moved": Case(
        Kill("traffic", "write_copy", after=True, in_state="moved"), moved=True
    ),
    "it is being verified": Case(Kill("entrance", "ask", after=True, in_state="moved"), moved=True),
    "it is about to be put into quarantine": Case(
        Kill("ledger", "put", in_state="moved", count=2), moved=True
    ),
    "it is in quarantine": Case(
        Kill("ledger", "put", after=True, in_state="moved", count=3), moved=True
    ),
    "its event is left": Case(
        Kill("ledger", "put", after=True, in_state="moved", count=5), moved=True
    ),
    "it is confirmed": Case(
        Kill("traffic", "write", after=True, in_state="rolled back"), moved=True
    ),
    "cold: a slot is reserved": Case(
        Kill("traffic", "write_copy", after=True, in_state="reserved"), cold=True
    ),
    "cold: its slot has begun to start": Case(Kill("slots", "start", after=True), cold=True),
    "cold: its slot is behind its color": Case(
        Kill("traffic", "write_color", after=True), cold=True
    ),
}


@dataclass
class Killed:
    """One service after all of it."""

    exit_code: int
    record: TrafficRecord  # once it was ended
    standing: set[str]
    left: list[str]
    outcome: str
    told: list[str]
    is_quarantined: bool
    again: str  # what a release of the bad version says
    load: Results
    fixed: TrafficRecord  # after the next release


@pytest.fixture(scope="module")
def killed_rollbacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Killed]]:
    root = tmp_path_factory.mktemp("kills")
    with LiveStack(root) as stack, ExitStack() as services, ThreadPoolExecutor(len(KILLS)) as pool:
        subjects = {name: services.enter_context(stack.new_service()) for name in KILLS}
        running: dict[str, Future[Killed]] = {
            name: pool.submit(one_kill, subject, stack.artifact, root / subject.service, name)
            for name, subject in subjects.items()
        }
        yield {name: future.result() for name, future in running.items()}


def one_kill(subject: LocalSubject, artifact: Path, log: Path, name: str) -> Killed:
    case = KILLS[name]
    definition = with_short_times(subject.definition)
    if case.cold:
        definition = definition.model_copy(update={"retention_seconds": 0.0})
    place = Place(subject.home, definition, str(artifact))
    target = subject.target
    release(place, "v1", "aaaaaaaa-first")
    release(place, "v2", BAD)
    if case.cold:
        clean_up(place)
    with Load(target.entrance.url, log, rate=RATE, timeout=PATIENCE) as load:
        code = killed(place, case.kill, roll_back, BAD, "cccccccc-killed")
        if case.moved:
            end_what_is_left(place)
        else:
            roll_back(place, BAD, "dddddddd-again")
        record, standing = target.traffic.read().record, target.slots.list()
        bad = history.newest_first(target.ledger)[0]
        return Killed(
            exit_code=code,
            record=record,
            standing={status.slot.name for status in standing},
            left=unfinished(record, standing),
            outcome=str(bad["outcome"]),
            told=[event.what for event in events.unrecorded(target.ledger)],
            is_quarantined=restrictions.is_quarantined(
                target.ledger, bad["digest"], bad["config_hash"]
            ),
            again=refusal(place),
            fixed=fixed(place),
            load=load.stop(),
        )


def refusal(place: Place) -> str:
    try:
        release(place, "v2", "eeeeeeee-again")
    except Refused as refused:
        return str(refused)
    return "it was released"


def fixed(place: Place) -> TrafficRecord:
    release(place, "v3", "ffffffff-fix")
    return place.platform().target.traffic.read().record


@pytest.mark.parametrize("step", list(KILLS))
def test_no_request_is_lost_and_the_old_version_is_live_for_good(
    killed_rollbacks: dict[str, Killed], step: str
) -> None:
    after = killed_rollbacks[step]
    assert after.exit_code == -9, "it was not killed where it should be"
    assert after.load.failed == 0, after.load.examples()
    assert after.load.requests > 0
    record = after.record
    assert record.live is not None
    assert (record.live.version, record.live.release_id) == ("v1", "aaaaaaaa-first")
    assert (record.confirmed, record.holder, record.previous) == (True, None, None)
    assert (record.moved_by, record.undone) == (MovedBy.ROLLBACK, BAD)
    assert after.left == []
    assert after.is_quarantined
    assert after.outcome == "rolled_back"
    assert after.told.count("rollback") == 1
    assert "is in quarantine" in after.again
    assert after.fixed.live is not None
    assert after.fixed.live.version == "v3"


@pytest.mark.parametrize("step", [step for step, case in KILLS.items() if case.cold])
def test_a_cold_one_is_gone_on_with_in_the_slot_that_it_had_begun(
    killed_rollbacks: dict[str, Killed], step: str
) -> None:
    after = killed_rollbacks[step]
    names = {name for name in after.standing if "aaaaaaaa" in name}
    assert names == {after.record.live.name}  # type: ignore[union-attr]
    assert next(iter(names)).endswith("-blue-aaaaaaaa-2")
