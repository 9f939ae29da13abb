"""Times as people say them."""

from datetime import UTC, datetime, timedelta

import pytest

from gp_pipelines.cli.ages import ago, until

NOW = datetime(2026, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "60 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_a_span_has_one_unit(seconds: float, words: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == f"{words} ago"
    if seconds:
        assert until(NOW + timedelta(seconds=seconds), NOW) == f"in {words}"


def test_what_is_due_is_now() -> None:
    assert until(NOW - timedelta(seconds=5), NOW) == "now"
