"""A process that is killed while it writes leaves what was there, or what it wrote: never a part,
and never a lock that nobody opens again."""

import random
import time
from dataclasses import replace

from gp_pipelines.model import Color, TrafficRecord
from gp_pipelines_tests.contract import rival
from gp_pipelines_tests.contract.examples import write_next
from gp_pipelines_tests.contract.subject import Subject

KILLS = 8


def test_a_kill_in_the_middle_of_writing_leaves_everything_whole(subject: Subject) -> None:
    write_next(subject.target, TrafficRecord(subject.service))
    last = -1
    for number in range(KILLS):
        with rival.busy_writer(subject.open) as kill:
            time.sleep(random.Random(number).uniform(0, 0.03))
            kill()
        last = read_everything(subject, at_least=last)


def test_who_reads_while_another_writes_sees_whole_documents_that_only_get_newer(
    subject: Subject,
) -> None:
    write_next(subject.target, TrafficRecord(subject.service))
    with rival.busy_writer(subject.open) as kill:
        first = last = read_everything(subject, at_least=0)
        for _ in range(300):
            last = read_everything(subject, at_least=last)
        kill()
    assert last > first


def read_everything(subject: Subject, at_least: int) -> int:
    """All that the writer writes; none of it torn, older than what was seen, or out of order."""
    target = subject.open()
    # In the opposite order of writing, so that nothing can be newer than what is read after it.
    document = target.ledger.get("kind", "key")
    beat = target.traffic.heartbeat()
    color = target.traffic.read_color(Color.BLUE)
    copy = target.traffic.read_copy()
    reading = target.traffic.read()
    assert reading.edits == color.edits == ()
    assert copy is not None
    numbers = [
        document["number"] if document else 0,
        beat.fence if beat else 0,
        color.fence,
        copy.revision,
        reading.record.revision,
    ]
    assert numbers[-1] >= at_least
    assert numbers == sorted(numbers)
    assert document is None or len(document["padding"]) == 10_000
    return reading.record.revision


def test_after_a_kill_the_next_writer_goes_on(subject: Subject) -> None:
    write_next(subject.target, TrafficRecord(subject.service))
    with rival.busy_writer(subject.open) as kill:
        kill()
    before = subject.target.traffic.read()
    following = replace(before.record, revision=before.record.revision + 1)
    assert subject.target.traffic.write(following, before).record == following
