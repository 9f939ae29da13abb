"""Several processes decide on the same reading: one of them is heard."""

from gp_pipelines.model import Color
from gp_pipelines_tests.contract import rival
from gp_pipelines_tests.contract.subject import Subject

RIVALS, ROUNDS = 4, 20


def test_of_all_writes_over_one_reading_exactly_one_goes_through(subject: Subject) -> None:
    assert rival.race_for_the_record(subject.open, RIVALS, ROUNDS) == [1] * ROUNDS
    record = subject.target.traffic.read().record
    assert (record.revision, record.fence) == (ROUNDS, ROUNDS)
    assert subject.target.traffic.read_copy() == record


def test_of_all_stamps_over_one_reading_of_a_color_exactly_one_goes_through(
    subject: Subject,
) -> None:

    assert rival.race_for_a_color(subject.open, RIVALS, ROUNDS) == [1] * ROUNDS
    assert subject.target.traffic.read_color(Color.BLUE).fence == ROUNDS
