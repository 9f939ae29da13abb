"""The addresses: who answers there, and what the entrance itself has failed."""

from collections.abc import Mapping

from gp_pipelines.model import Color
from gp_pipelines.targets.contract import RequestCounts
from gp_pipelines_tests.contract.examples import a_slot, bring_up, put_behind, switch_to
from gp_pipelines_tests.contract.subject import Subject
from gp_pipelines_tests.databases.waiting import wait_until


def test_where_nothing_is_live_the_entrance_answers_503_for_nobody(subject: Subject) -> None:
    answers = subject.target.entrance.ask("/health", fresh=2, kept_alive=2)
    assert len(answers) == 4
    for answer in answers:
        assert (answer.ok, answer.status) == (False, 503)
        assert (answer.release_id, answer.version) == (None, None)
        assert answer.detail


def test_an_answer_says_who_gave_it(subject: Subject) -> None:
    slot = a_slot(subject, Color.GREEN, "v2", replicas=2)
    bring_up(subject, slot)
    switch_to(subject.target, slot)
    answers = subject.open().entrance.ask("/health", fresh=4, kept_alive=4)
    assert len(answers) == 8
    for answer in answers:
        assert (answer.ok, answer.status, answer.detail) == (True, 200, "")
        assert answer.release_id in (slot.release_id, None)
        assert answer.version == "v2"
        assert answer.seconds > 0


def test_a_preview_shows_its_color_and_never_the_live_one(subject: Subject) -> None:
    live, idle = a_slot(subject, Color.BLUE, "v1"), a_slot(subject, Color.GREEN, "v2")
    bring_up(subject, live)
    switch_to(subject.target, live)
    entrance = subject.target.entrance
    for answer in entrance.ask("/health", fresh=2, kept_alive=2, preview=Color.GREEN):
        assert (answer.status, answer.version) == (503, None)
    bring_up(subject, idle)
    wait_until(lambda: entrance.ask("/health", fresh=1, kept_alive=0, preview=Color.GREEN)[0].ok)
    for color, slot in ((Color.GREEN, idle), (Color.BLUE, live)):
        answers = entrance.ask("/health", fresh=2, kept_alive=2, preview=color)
        assert {answer.version for answer in answers} == {slot.version}
    assert {a.version for a in entrance.ask("/health", fresh=2, kept_alive=2)} == {"v1"}


def test_asking_never_raises_and_counts_what_got_no_answer(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    switch_to(subject.target, slot)
    answers = subject.target.entrance.ask("/slow?seconds=30", fresh=3, kept_alive=3)
    assert [(answer.ok, answer.status) for answer in answers] == [(False, 0)] * 6
    assert all(answer.detail for answer in answers)


def test_a_bad_answer_of_the_service_is_not_the_entrances(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    switch_to(subject.target, slot)
    before = subject.target.entrance.lost()
    answers = subject.target.entrance.ask("/fails", fresh=3, kept_alive=3)
    assert {(answer.ok, answer.status) for answer in answers} == {(False, 500)}
    assert subject.target.entrance.lost() == before


def test_the_answer_that_nothing_is_live_is_no_loss(subject: Subject) -> None:
    before = subject.target.entrance.lost()
    subject.target.entrance.ask("/health", fresh=3, kept_alive=3)
    assert subject.target.entrance.lost() == before


def test_what_the_entrance_fails_itself_is_counted_once_each(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    put_behind(subject.target, slot)  # nothing listens there
    switch_to(subject.target, slot)
    before = subject.target.entrance.lost()
    if before is None:
        return  # a target that cannot tell says so
    answers = subject.target.entrance.ask("/health", fresh=3, kept_alive=2)
    assert {answer.status for answer in answers} == {503}
    assert subject.target.entrance.lost() == before + 5


def test_a_replica_that_dies_under_a_request_is_a_loss(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    switch_to(subject.target, slot)
    before = subject.target.entrance.lost()
    if before is None:
        return
    (answer,) = subject.target.entrance.ask("/cut", fresh=1, kept_alive=0)
    assert not answer.ok
    assert subject.target.entrance.lost() == before + 1


def test_each_request_is_counted_once_for_the_color_that_it_went_to(subject: Subject) -> None:
    slots = [a_slot(subject, Color.BLUE, "v1"), a_slot(subject, Color.GREEN, "v2")]
    for slot in slots:
        bring_up(subject, slot)
    entrance = subject.target.entrance
    switch_to(subject.target, slots[0])
    before = entrance.counts()
    entrance.ask("/health", fresh=3, kept_alive=2)
    entrance.ask("/fails", fresh=2, kept_alive=2)
    switch_to(subject.target, slots[1])
    entrance.ask("/health", fresh=1, kept_alive=0)
    after = subject.open().entrance.counts()
    assert more(before, after, Color.BLUE) == RequestCounts(total=9, failed=4)
    assert more(before, after, Color.GREEN) == RequestCounts(total=1, failed=0)


def test_what_the_entrance_answers_in_the_place_of_a_dead_version_is_counted_as_failed(
    subject: Subject,
) -> None:
    slot = a_slot(subject, Color.BLUE)
    put_behind(subject.target, slot)  # nothing listens there
    switch_to(subject.target, slot)
    before = subject.target.entrance.counts()
    subject.target.entrance.ask("/health", fresh=3, kept_alive=2)
    after = subject.target.entrance.counts()
    assert more(before, after, Color.BLUE) == RequestCounts(total=5, failed=5)


def test_a_request_under_which_its_replica_dies_is_counted_as_failed(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    bring_up(subject, slot)
    switch_to(subject.target, slot)
    before = subject.target.entrance.counts()
    subject.target.entrance.ask("/cut", fresh=1, kept_alive=0)
    after = subject.target.entrance.counts()
    assert more(before, after, Color.BLUE) == RequestCounts(total=1, failed=1)


def more(
    before: Mapping[Color, RequestCounts], after: Mapping[Color, RequestCounts], color: Color
) -> RequestCounts:
    return RequestCounts(
        after[color].total - before[color].total, after[color].failed - before[color].failed
    )
