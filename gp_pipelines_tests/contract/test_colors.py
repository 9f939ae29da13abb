"""What stands behind a color: the same compare-and-swap, stamped with the fence of the writer."""

from dataclasses import replace

import pytest

from gp_pipelines.errors import Conflict
from gp_pipelines.model import Color
from gp_pipelines_tests.contract.examples import a_slot
from gp_pipelines_tests.contract.subject import Subject


@pytest.mark.parametrize("color", list(Color))
def test_nothing_stands_behind_a_color_at_first(subject: Subject, color: Color) -> None:
    reading = subject.target.traffic.read_color(color)
    assert (reading.color, reading.slot_name, reading.release_id) == (color, None, None)
    assert reading.fence == 0
    assert reading.edits == ()


def test_a_color_is_read_as_it_was_written(subject: Subject) -> None:
    slot = a_slot(subject, Color.BLUE, replicas=2)
    before = subject.target.traffic.read_color(Color.BLUE)
    written = subject.target.traffic.write_color(Color.BLUE, slot, 5, before)
    read = subject.open().traffic.read_color(Color.BLUE)
    assert read == written
    assert (read.slot_name, read.release_id, read.fence) == (slot.name, slot.release_id, 5)
    assert read.edits == ()


def test_a_color_that_was_emptied_keeps_the_fence_of_who_did_it(subject: Subject) -> None:
    traffic = subject.target.traffic
    before = traffic.read_color(Color.BLUE)
    filled = traffic.write_color(Color.BLUE, a_slot(subject, Color.BLUE), 5, before)
    emptied = traffic.write_color(Color.BLUE, None, 6, filled)
    assert (emptied.slot_name, emptied.release_id, emptied.fence) == (None, None, 6)
    assert traffic.read_color(Color.BLUE) == emptied


def test_the_colors_are_apart(subject: Subject) -> None:
    traffic = subject.target.traffic
    green = traffic.read_color(Color.GREEN)
    blue = traffic.read_color(Color.BLUE)
    traffic.write_color(Color.BLUE, a_slot(subject, Color.BLUE), 5, blue)
    assert traffic.read_color(Color.GREEN) == green


def test_a_write_over_an_old_reading_conflicts_and_changes_nothing(subject: Subject) -> None:
    traffic = subject.target.traffic
    stale = traffic.read_color(Color.BLUE)
    present = traffic.write_color(Color.BLUE, a_slot(subject, Color.BLUE), 5, stale)
    with pytest.raises(Conflict):
        subject.open().traffic.write_color(Color.BLUE, None, 6, stale)
    assert traffic.read_color(Color.BLUE) == present


def test_stamping_the_same_slot_again_makes_an_older_reading_conflict(subject: Subject) -> None:
    """So a rollback, by stamping its fence on a color, shuts out whoever read it before."""
    traffic = subject.target.traffic
    slot = a_slot(subject, Color.BLUE)
    first = traffic.write_color(Color.BLUE, slot, 5, traffic.read_color(Color.BLUE))
    traffic.write_color(Color.BLUE, slot, 6, first)
    with pytest.raises(Conflict):
        traffic.write_color(Color.BLUE, slot, 5, first)


def test_a_color_edited_by_hand_says_so_and_can_be_written_again(subject: Subject) -> None:
    traffic = subject.target.traffic
    slot = a_slot(subject, Color.BLUE)
    written = traffic.write_color(Color.BLUE, slot, 5, traffic.read_color(Color.BLUE))
    subject.edit_color_by_hand(Color.BLUE)
    with pytest.raises(Conflict):
        traffic.write_color(Color.BLUE, None, 6, written)
    edited = traffic.read_color(Color.BLUE)
    assert edited.edits
    assert "blue" in edited.edits[0]
    again = traffic.write_color(Color.BLUE, slot, 6, edited)
    assert replace(again, token="") == replace(written, fence=6, token="")
