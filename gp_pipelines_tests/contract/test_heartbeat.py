"""The holder's sign of life."""

from gp_pipelines_tests.contract.subject import Subject


def test_nobody_has_shown_a_sign_of_life_at_first(subject: Subject) -> None:
    assert subject.target.traffic.heartbeat() is None


def test_each_renewal_is_seen_by_others(subject: Subject) -> None:
    seen = []
    for _ in range(3):
        subject.target.traffic.renew("run-1", 4)
        beat = subject.open().traffic.heartbeat()
        assert beat is not None
        assert (beat.run_id, beat.fence) == ("run-1", 4)
        seen.append(beat.renewals)
    assert len(set(seen)) == 3


def test_the_next_holder_takes_over(subject: Subject) -> None:
    subject.target.traffic.renew("run-1", 4)
    subject.open().traffic.renew("run-2", 5)
    beat = subject.target.traffic.heartbeat()
    assert beat is not None
    assert (beat.run_id, beat.fence) == ("run-2", 5)


def test_reading_is_no_sign_of_life(subject: Subject) -> None:
    subject.target.traffic.renew("run-1", 4)
    assert subject.target.traffic.heartbeat() == subject.target.traffic.heartbeat()
