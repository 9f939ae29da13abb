"""Slots: brought up, watched, carried on with after a kill, and removed."""

from dataclasses import replace
from typing import cast

import httpx
import pytest

from gp_pipelines.errors import ConfigInvalid, Refused
from gp_pipelines.model import Color
from gp_pipelines.targets.contract import SlotStatus
from gp_pipelines_tests.contract import rival
from gp_pipelines_tests.contract.examples import a_slot, bring_up
from gp_pipelines_tests.contract.subject import Behaviour, Subject
from gp_pipelines_tests.databases.waiting import wait_until


def status(subject: Subject, name: str) -> SlotStatus:
    found = subject.target.slots.get(name)
    assert found is not None
    return found


def test_no_slot_stands_at_first(subject: Subject) -> None:
    slots = subject.target.slots
    assert slots.list() == ()
    assert slots.get(f"{subject.service}-blue-00000000") is None
    assert slots.logs(f"{subject.service}-blue-00000000") == {}
    slots.remove(f"{subject.service}-blue-00000000", 0, print)


def test_a_slot_comes_up_and_is_seen_by_others(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE, replicas=2)
    bring_up(subject, slot)
    (found,) = subject.open().slots.list()
    assert found.slot == slot
    assert (found.ready, found.wanted) == (2, 2)
    assert len({replica.name for replica in found.replicas}) == 2
    assert [replica.restarts for replica in found.replicas] == [0, 0]
    assert subject.target.slots.get(slot.name) == found


def test_starting_again_changes_nothing(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE, replicas=2)
    bring_up(subject, slot)
    before = subject.target.slots.logs(slot.name)
    subject.open().slots.start(slot, subject.launch(slot.version))
    assert status(subject, slot.name).ready == 2
    assert subject.target.slots.logs(slot.name) == before
    assert len(subject.target.slots.list()) == 1


def test_another_slot_never_takes_a_name_that_stands(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    other = replace(slot, digest="sha256:" + "cd" * 32)
    with pytest.raises(Refused):
        subject.target.slots.start(other, subject.launch("v2"))
    assert status(subject, slot.name).slot == slot
    assert status(subject, slot.name).ready == 1


def test_two_slots_stand_beside_each_other_even_on_one_color(subject: Subject) -> None:
    slots = [a_slot(subject, Color.BLUE, version) for version in ("v1", "v2")]
    for slot in slots:
        bring_up(subject, slot)
    assert {found.slot.name for found in subject.target.slots.list()} == {s.name for s in slots}
    subject.target.slots.remove(slots[0].name, 5, print)
    (left,) = subject.target.slots.list()
    assert left.slot == slots[1]
    assert left.ready == 1


def test_services_do_not_see_each_others_slots(subject: Subject, another: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    assert another.target.slots.list() == ()
    another.target.slots.remove(slot.name, 0, print)
    assert status(subject, slot.name).ready == 1


def test_a_killed_replica_is_started_again_and_counted(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE, replicas=2)
    bring_up(subject, slot)
    subject.kill_replica(slot.name, 1)
    wait_until(lambda: status(subject, slot.name).replicas[0].restarts == 1)
    wait_until(lambda: status(subject, slot.name).ready == 2)
    assert [replica.restarts for replica in status(subject, slot.name).replicas] == [1, 0]
    assert status(subject, slot.name).replicas[0].detail


def test_a_service_that_does_not_get_healthy_is_never_ready_and_says_why(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    subject.target.slots.start(slot, subject.launch("v1", Behaviour.NEVER_READY))
    wait_until(lambda: "503" in status(subject, slot.name).replicas[0].detail)
    found = status(subject, slot.name)
    assert (found.ready, found.wanted) == (0, 1)
    assert "/health" in found.replicas[0].detail


def test_a_service_that_keeps_dying_says_how(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    subject.target.slots.start(slot, subject.launch("v1", Behaviour.CRASHES))
    wait_until(lambda: status(subject, slot.name).replicas[0].restarts >= 2)
    wait_until(lambda: "3" in status(subject, slot.name).replicas[0].detail)
    found = status(subject, slot.name)
    assert found.ready == 0
    assert "cannot start" in found.replicas[0].detail
    (log,) = subject.target.slots.logs(slot.name).values()
    assert "cannot start" in log


def test_a_command_that_the_artifact_does_not_have_is_named(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    launch = replace(subject.launch("v1"), command=("no-such-command",))
    with pytest.raises(ConfigInvalid, match="no-such-command"):
        subject.target.slots.start(slot, launch)
    assert subject.target.slots.list() == ()


def test_logs_are_the_last_lines_of_each_replica_without_its_secrets(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE, replicas=2)
    bring_up(subject, slot)
    launch = subject.launch("v1")
    names = [replica.name for replica in status(subject, slot.name).replicas]
    logs = subject.target.slots.logs(slot.name, lines=1)
    assert list(logs) == names
    for log in logs.values():
        assert log == f"starts as {slot.release_id} with TOKEN ***"
        assert launch.secrets["TOKEN"] not in log


def test_a_removed_slot_is_gone_and_may_be_removed_again(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE, replicas=2)
    bring_up(subject, slot)
    subject.target.slots.remove(slot.name, 5, print)
    assert subject.target.slots.get(slot.name) is None
    assert subject.target.slots.list() == ()
    subject.open().slots.remove(slot.name, 5, print)


def test_a_removed_slot_may_come_again(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    subject.target.slots.remove(slot.name, 5, print)
    bring_up(subject, slot)
    assert status(subject, slot.name).ready == 1
    assert status(subject, slot.name).replicas[0].restarts == 0


def slow_request(subject: Subject, seconds: float) -> httpx.Response:
    url = f"{subject.target.entrance.preview_url(Color.BLUE)}/slow?seconds={seconds}"
    return httpx.get(url, timeout=30, trust_env=False)


def test_removing_lets_requests_in_flight_end(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    with rival.meanwhile(lambda: slow_request(subject, 2.0)) as slow:
        subject.target.slots.remove(slot.name, 20, print)
    answer = cast(httpx.Response, slow.result())
    assert answer.status_code == 200
    assert answer.json() == {"version": "v1"}


def test_removing_kills_what_does_not_end_in_its_time(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    with rival.meanwhile(lambda: slow_request(subject, 20.0)) as slow:
        subject.target.slots.remove(slot.name, 0.5, print)
    assert cast(httpx.Response, slow.result()).status_code == 503
    assert subject.target.slots.get(slot.name) is None


@pytest.mark.parametrize("milliseconds", [0, 15, 40, 90, 160])
def test_a_start_that_was_killed_is_carried_on_with(subject: Subject, milliseconds: int) -> None:
    slot = a_slot(subject, Color.BLUE, replicas=3)
    rival.start_killed_after(subject.open, slot, subject.launch("v1"), milliseconds / 1000)
    bring_up(subject, slot)
    (found,) = subject.target.slots.list()
    assert (found.slot, found.ready) == (slot, 3)


@pytest.mark.parametrize("milliseconds", [0, 15, 40, 90, 160])
def test_what_a_killed_start_left_is_removed_or_was_not_there(
    subject: Subject, milliseconds: int
) -> None:
    slot = a_slot(subject, Color.BLUE, replicas=3)
    rival.start_killed_after(subject.open, slot, subject.launch("v1"), milliseconds / 1000)
    for found in subject.target.slots.list():
        assert found.slot == slot
        assert found.ready <= 3
        subject.target.slots.remove(found.slot.name, 0, print)
    assert subject.target.slots.list() == ()
    assert subject.nothing_left_of(slot.name)


@pytest.mark.parametrize("milliseconds", [0, 20, 60, 120])
def test_a_removal_that_was_killed_is_carried_on_with(subject: Subject, milliseconds: int) -> None:
    slot = a_slot(subject, Color.BLUE, replicas=3)
    bring_up(subject, slot)
    rival.remove_killed_after(subject.open, slot.name, milliseconds / 1000)
    for found in subject.target.slots.list():
        assert found.slot == slot
        subject.target.slots.remove(found.slot.name, 1, print)
    assert subject.target.slots.list() == ()
    assert subject.nothing_left_of(slot.name)
