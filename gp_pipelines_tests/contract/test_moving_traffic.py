"""What the whole is for: traffic goes from one slot to another, and no request is lost."""

from pathlib import Path

from gp_pipelines.model import Color
from gp_pipelines_tests.contract.examples import a_slot, bring_up, switch_to, write_next
from gp_pipelines_tests.contract.subject import Subject
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.load import Load

SWITCHES = 6
REQUESTS_BETWEEN = 60


def test_a_write_is_in_force_once_the_data_plane_has_it(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    before = subject.target.traffic.read().record
    switch_to(subject.target, slot)  # waits for it
    after = subject.open().traffic.read().record
    assert subject.open().traffic.in_force(after)
    assert not subject.open().traffic.in_force(before)
    answers = subject.target.entrance.ask("/health", fresh=5, kept_alive=5)
    assert {answer.version for answer in answers} == {"v1"}


def test_a_write_that_moves_nothing_comes_in_force_too(subject: Subject) -> None:
    written = write_next(subject.target, subject.target.traffic.read().record)
    wait_until(lambda: subject.open().traffic.in_force(written.record))


def test_traffic_moves_back_and_forth_without_a_lost_request(
    subject: Subject, tmp_path: Path
) -> None:
    slots = [a_slot(subject, Color.BLUE, "v1", 2), a_slot(subject, Color.GREEN, "v2", 2)]
    for slot in slots:
        bring_up(subject, slot)
    switch_to(subject.target, slots[0])
    with Load(subject.target.entrance.url, tmp_path / "load", rate=100) as load:
        for number in range(SWITCHES):
            wait_for_requests(load, REQUESTS_BETWEEN * (number + 1))
            moved_to = slots[(number + 1) % 2]
            switch_to(subject.target, moved_to)
            answers = subject.target.entrance.ask("/health", fresh=5, kept_alive=5)
            assert {answer.version for answer in answers} == {moved_to.version}
        wait_for_requests(load, REQUESTS_BETWEEN * (SWITCHES + 1))
        results = load.stop()
    assert results.failed == 0, results.examples()
    assert results.closed_idle == 0
    assert results.requests >= REQUESTS_BETWEEN * (SWITCHES + 1)
    answered = results.answered_by_version
    assert set(answered) == {"v1", "v2"}
    assert min(answered.values()) >= REQUESTS_BETWEEN


def test_a_slot_is_replaced_and_removed_under_load_without_a_lost_request(
    subject: Subject, tmp_path: Path
) -> None:
    """As a release does it: the new slot comes up beside the old, which goes when it is unused."""
    old, new = a_slot(subject, Color.BLUE, "v1", 2), a_slot(subject, Color.GREEN, "v2", 2)
    bring_up(subject, old)
    switch_to(subject.target, old)
    with Load(subject.target.entrance.url, tmp_path / "load", rate=100) as load:
        wait_for_requests(load, REQUESTS_BETWEEN)
        bring_up(subject, new)
        switch_to(subject.target, new)
        before = subject.target.traffic.read_color(Color.BLUE)
        subject.target.traffic.write_color(Color.BLUE, None, before.fence + 1, before)
        subject.target.slots.remove(old.name, 10, print)
        wait_for_requests(load, load.complete().requests + REQUESTS_BETWEEN)
        results = load.stop()
    assert results.failed == 0, results.examples()
    assert results.closed_idle == 0
    assert set(results.answered_by_version) == {"v1", "v2"}


def test_a_replica_that_dies_is_survived_by_the_others(subject: Subject) -> None:
    """New requests go to the replicas that live: nothing is sent to the dead one for long."""
    slot = a_slot(subject, Color.BLUE, replicas=2)
    bring_up(subject, slot)
    switch_to(subject.target, slot)
    subject.kill_replica(slot.name, 1)
    wait_until(
        lambda: all(a.ok for a in subject.target.entrance.ask("/health", fresh=8, kept_alive=8))
    )


def wait_for_requests(load: Load, requests: int) -> None:
    wait_until(lambda: load.results().requests >= requests)
