"""The copy of the record, and the switched object made again from it."""

from dataclasses import replace

import pytest

from gp_pipelines.errors import Conflict, TargetUnavailable
from gp_pipelines.model import Color, TrafficRecord
from gp_pipelines_tests.contract.examples import a_full_record, write_next
from gp_pipelines_tests.contract.subject import Subject


def test_there_is_no_copy_at_first(subject: Subject) -> None:
    assert subject.target.traffic.read_copy() is None


def test_the_copy_is_read_as_it_was_written(subject: Subject) -> None:
    record = a_full_record(subject)
    subject.target.traffic.write_copy(record)
    assert subject.open().traffic.read_copy() == record


@pytest.mark.parametrize(
    ("fence", "revision", "replaces"),
    [(5, 8, True), (6, 1, True), (5, 7, True), (5, 6, False), (4, 9, False)],
)
def test_only_an_older_copy_is_replaced(
    subject: Subject, fence: int, revision: int, replaces: bool
) -> None:
    traffic = subject.target.traffic
    present = TrafficRecord(subject.service, fence=5, revision=7, releases=1)
    traffic.write_copy(present)
    other = TrafficRecord(subject.service, fence=fence, revision=revision, releases=2)
    traffic.write_copy(other)
    assert traffic.read_copy() == (other if replaces else present)


def lose(subject: Subject, how: str) -> None:
    if how == "deleted":
        subject.delete_object()
    else:
        subject.spoil_object()


@pytest.mark.parametrize("how", ["deleted", "spoiled"])
def test_a_lost_object_is_never_taken_for_a_service_without_releases(
    subject: Subject, how: str
) -> None:
    write_next(subject.target, a_full_record(subject))
    lose(subject, how)
    with pytest.raises(TargetUnavailable) as lost:
        subject.target.traffic.read()
    assert "gp repair" in lost.value.advice
    assert lost.value.state


@pytest.mark.parametrize("how", ["deleted", "spoiled"])
def test_a_lost_object_is_made_again(subject: Subject, how: str) -> None:
    traffic = subject.target.traffic
    written = write_next(subject.target, a_full_record(subject)).record
    lose(subject, how)
    copy = traffic.read_copy()
    assert copy == written
    restored = replace(copy, fence=copy.fence + 1, revision=copy.revision + 1)
    made = traffic.make_again(restored)
    assert made.record == restored
    assert made.observed is Color.GREEN
    again = subject.open().traffic.read()
    assert (again.record, again.token, again.edits) == (restored, made.token, ())


@pytest.mark.parametrize("how", ["deleted", "spoiled"])
def test_a_stale_write_does_not_bring_a_lost_object_back(subject: Subject, how: str) -> None:
    before = write_next(subject.target, a_full_record(subject))
    lose(subject, how)
    with pytest.raises(Conflict):
        subject.target.traffic.write(replace(before.record, revision=9), before)
    with pytest.raises(TargetUnavailable):
        subject.target.traffic.read()


def test_an_object_that_is_there_is_not_made_again(subject: Subject) -> None:
    before = write_next(subject.target, a_full_record(subject))
    with pytest.raises(Conflict):
        subject.target.traffic.make_again(TrafficRecord(subject.service, revision=9))
    assert subject.target.traffic.read().token == before.token
