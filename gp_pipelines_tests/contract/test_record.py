"""The traffic record: read as it was written, replaced only by who saw the present one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gp_pipelines.errors import Conflict
from gp_pipelines.model import Color, TrafficRecord
from gp_pipelines_tests.contract.examples import a_full_record, a_slot, write_next
from gp_pipelines_tests.contract.subject import Subject


def test_a_service_that_never_had_a_record_has_an_empty_one(subject: Subject) -> None:
    reading = subject.target.traffic.read()
    assert reading.record == TrafficRecord(subject.service)
    assert reading.record.revision == 0
    assert reading.observed is None
    assert reading.edits == ()


def test_a_record_is_read_as_it_was_written_by_whoever_reads_it(subject: Subject) -> None:
    record = a_full_record(subject)
    written = subject.target.traffic.write(record, subject.target.traffic.read())
    assert written.record == record
    for target in (subject.target, subject.open()):
        reading = target.traffic.read()
        assert reading.record == record
        assert reading.token == written.token
        assert reading.observed is Color.GREEN
        assert reading.edits == ()


def test_an_empty_record_sends_traffic_to_nobody(subject: Subject) -> None:
    full = write_next(subject.target, a_full_record(subject)).record
    write_next(subject.target, replace(full, live=None))
    assert subject.target.traffic.read().observed is None


def test_each_write_gives_the_object_another_token(subject: Subject) -> None:
    record = TrafficRecord(subject.service)
    readings = [write_next(subject.target, record) for _ in range(4)]
    assert len({reading.token for reading in readings}) == 4


def test_the_readings_time_is_the_targets_in_utc(subject: Subject) -> None:
    first = subject.target.traffic.read().now
    second = write_next(subject.target, TrafficRecord(subject.service)).now
    assert first.utcoffset() == timedelta(0)
    assert first <= second
    assert abs(second - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_write_over_an_old_reading_conflicts_and_changes_nothing(subject: Subject) -> None:
    stale = subject.target.traffic.read()
    present = write_next(subject.target, TrafficRecord(subject.service, fence=1))
    with pytest.raises(Conflict):
        subject.open().traffic.write(a_full_record(subject), stale)
    assert subject.target.traffic.read().record == present.record
    assert subject.target.traffic.read().token == present.token


def test_a_write_over_what_was_just_written_goes_through(subject: Subject) -> None:
    reading = subject.target.traffic.read()
    for revision in (1, 2, 3):
        record = TrafficRecord(subject.service, revision=revision)
        reading = subject.target.traffic.write(record, reading)
    assert subject.target.traffic.read().record.revision == 3


def test_a_hand_edit_between_reading_and_writing_conflicts(subject: Subject) -> None:
    before = write_next(subject.target, TrafficRecord(subject.service))
    subject.send_traffic_by_hand(Color.BLUE)
    with pytest.raises(Conflict):
        subject.target.traffic.write(replace(before.record, revision=2), before)
    assert subject.target.traffic.read().observed is Color.BLUE


def test_the_record_of_one_service_is_not_that_of_another(
    subject: Subject, another: Subject
) -> None:
    write_next(subject.target, a_full_record(subject))
    assert another.target.traffic.read().record == TrafficRecord(another.service)
    slot = a_slot(another, Color.BLUE)
    write_next(another.target, TrafficRecord(another.service, live=slot))
    assert subject.target.traffic.read().record == a_full_record(subject)
