"""One more replica, which no user reaches: tried, and nothing of it left."""

import time

import httpx
import pytest

from gp_pipelines.errors import StepFailed
from gp_pipelines.model import Color
from gp_pipelines_tests.contract import rival
from gp_pipelines_tests.contract.examples import a_slot
from gp_pipelines_tests.contract.subject import Behaviour, Subject
from gp_pipelines_tests.databases.waiting import wait_until


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def test_it_answers_with_its_version_and_is_no_slot(subject: Subject) -> None:
    target, slot = subject.target, a_slot(subject, Color.BLUE)
    with target.rehearse(slot, subject.launch("v1"), 20, print) as url:
        answer = httpx.get(f"{url}/health", trust_env=False)
        assert answer.json() == {"version": "v1"}
        assert target.slots.list() == ()
        assert target.traffic.read_color(Color.BLUE).slot_name is None
    assert not answers(url)


def test_what_its_caller_raises_ends_it_too(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    with (
        pytest.raises(KeyboardInterrupt),
        subject.target.rehearse(slot, subject.launch("v1"), 20, print) as url,
    ):
        raise KeyboardInterrupt
    assert not answers(url)


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [(Behaviour.NEVER_READY, "answered 503"), (Behaviour.CRASHES, "ended with exit code 3")],
)
def test_one_that_does_not_come_up_is_told_with_its_last_lines(
    subject: Subject, behaviour: Behaviour, message: str
) -> None:
    launch, slot = subject.launch("v1", behaviour), a_slot(subject, Color.BLUE)
    began = time.monotonic()
    with (
        pytest.raises(StepFailed) as failed,
        subject.target.rehearse(slot, launch, 2, print),
    ):
        pass
    assert message in failed.value.what
    assert "***" in failed.value.what, "its first line has the token in it"
    assert launch.secrets["TOKEN"] not in str(failed.value)
    assert time.monotonic() - began < 60


def test_what_a_killed_one_left_is_ended_by_the_next(subject: Subject) -> None:
    with rival.rehearsing(subject.open, a_slot(subject, Color.BLUE), subject.launch("v1")) as left:
        assert answers(left)
    assert answers(left), "nobody has ended it yet"
    slot = a_slot(subject, Color.GREEN)
    with subject.target.rehearse(slot, subject.launch("v2"), 20, print) as url:
        assert answers(url)
        wait_until(lambda: not answers(left))


def test_two_at_once_leave_each_other_alone(subject: Subject) -> None:
    slot, launch = a_slot(subject, Color.BLUE), subject.launch("v1")
    with rival.rehearsing(subject.open, slot, launch) as other:
        with subject.target.rehearse(slot, launch, 20, print) as own:
            assert own != other
            assert answers(own)
        assert answers(other)
    with subject.target.rehearse(slot, launch, 20, print):
        wait_until(lambda: not answers(other))
