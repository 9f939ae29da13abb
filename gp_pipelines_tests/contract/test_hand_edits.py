"""What a person changes by hand is told, never adopted and never taken for what was recorded."""

from dataclasses import replace

from gp_pipelines.model import Color, TrafficRecord
from gp_pipelines_tests.contract.examples import a_slot, write_next
from gp_pipelines_tests.contract.subject import Subject


def test_traffic_sent_elsewhere_by_hand_is_observed_and_told(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    written = write_next(subject.target, TrafficRecord(subject.service, live=slot))
    subject.send_traffic_by_hand(Color.GREEN)
    reading = subject.target.traffic.read()
    assert reading.record == written.record
    assert reading.observed is Color.GREEN
    assert "green" in reading.edits[0]
    assert slot.describe() in reading.edits[0]


def test_traffic_sent_by_hand_where_nothing_was_ever_released_is_told(subject: Subject) -> None:
    write_next(subject.target, TrafficRecord(subject.service))
    subject.send_traffic_by_hand(Color.BLUE)
    reading = subject.target.traffic.read()
    assert reading.observed is Color.BLUE
    assert reading.edits


def test_a_record_changed_by_hand_is_told(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    write_next(subject.target, TrafficRecord(subject.service, live=slot))
    subject.edit_record_by_hand()
    reading = subject.target.traffic.read()
    assert reading.observed is Color.BLUE
    assert reading.edits


def test_the_next_write_ends_an_edit(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    write_next(subject.target, TrafficRecord(subject.service, live=slot))
    subject.send_traffic_by_hand(Color.GREEN)
    edited = subject.target.traffic.read()
    recorded = replace(edited.record, revision=edited.record.revision + 1)
    written = subject.target.traffic.write(recorded, edited)
    assert written.observed is Color.BLUE
    assert written.edits == ()


def test_edited_routing_is_not_the_records_in_force(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE)
    written = write_next(subject.target, TrafficRecord(subject.service, live=slot))
    subject.send_traffic_by_hand(Color.GREEN)
    assert not subject.target.traffic.in_force(written.record)
