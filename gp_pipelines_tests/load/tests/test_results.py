"""What is read from the records, on records made by hand."""

import pytest

from gp_pipelines_tests.load.address import Address, loopback
from gp_pipelines_tests.load.record import Connection, Failure, Mark, Pulse, Record
from gp_pipelines_tests.load.results import Results

MS = 1_000_000  # ns


def record(
    begun_ms: int,
    *,
    took_ms: int = 1,
    late_ms: int = 0,
    version: str | None = "v1",
    connection: Connection = Connection.FRESH,
    failure: Failure | None = None,
) -> Record:
    return Record(
        number=begun_ms,
        begun=begun_ms * MS,
        late_us=late_ms * 1000,
        took_us=took_ms * 1000,
        request="GET /health",
        status=200 if version else 0,
        version=version,
        release=f"release-of-{version}" if version else None,
        error="broken" if failure else "",
        connection=connection,
        failure=failure,
    )


def test_failures_by_kind_version_and_time() -> None:
    results = Results(
        (
            record(0),
            record(1000, version="v4", failure=Failure.SERVER_ERROR),
            record(1500, version="v4", failure=Failure.SERVER_ERROR),
            record(3999, version=None, failure=Failure.RESET),
        )
    )
    assert results.failed_by_kind == {Failure.SERVER_ERROR: 2, Failure.RESET: 1}
    assert results.failed_by_version == {"v4": 2, None: 1}
    slices = results.slices(1.0)
    assert [(s.results.requests, s.results.failed) for s in slices] == [
        (1, 0),
        (2, 2),
        (0, 0),
        (1, 1),
    ]
    assert results.examples() == (
        "#1000 GET /health (fresh connection, version v4): server_error: broken",
        "#3999 GET /health (fresh connection): reset: broken",
    )


def test_windows_lie_between_marks() -> None:
    records = tuple(record(i) for i in range(10))
    results = Results(records, (Mark(2 * MS, "a"), Mark(5 * MS, "b"), Mark(7 * MS, "a")))
    assert [window.results.requests for window in results.windows()] == [3, 2, 3]
    assert results.window("a").records == records[7:]
    with pytest.raises(KeyError, match="no mark 'c'"):
        results.window("c")


def test_answers_are_ordered_by_when_they_came() -> None:
    slow = record(0, took_ms=50, version="v1")
    new = record(10, took_ms=5, version="v2")
    lost = record(11, took_ms=1, version=None, failure=Failure.RESET)
    results = Results((lost, new, slow))
    assert results.first_answer(after=11 * MS) is new
    assert results.last_answer(after=11 * MS) is slow
    assert results.answers(version="v2").last_answer(after=15 * MS) is new
    assert results.answers(version="v2").first_answer(after=15 * MS + 1) is None
    assert results.answers(release="release-of-v1").records == (slow,)
    assert results.answers(connection=Connection.KEPT).records == ()


def test_latency_counts_from_when_a_request_was_due() -> None:
    records = (*(record(i) for i in range(98)), record(98, late_ms=70), record(99, took_ms=200))
    results = Results(records)
    assert [results.latency_ms(percent) for percent in (0, 50, 98, 99, 100)] == [1, 1, 1, 71, 200]
    assert results.latest_ms == 70
    with pytest.raises(ValueError, match="no request"):
        Results(()).latency_ms(50)


def test_rate_and_processor_share() -> None:
    pulses = (Pulse(0, 0, 10 * MS, False), Pulse(1000 * MS, 990 * MS, 50 * MS, False))
    results = Results(tuple(record(i * 10) for i in range(101)), pulses=pulses)
    assert results.rate == pytest.approx(100)
    assert results.cpu_share == pytest.approx(0.04)
    assert results.complete_until == 990 * MS
    assert not results.ended
    assert Results(()).rate == 0


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("http://127.1.2.3:8080/", Address("127.1.2.3", 8080)),
        ("http://[::1]:8080", Address("::1", 8080)),
    ],
)
def test_loopback_is_allowed(url: str, address: Address) -> None:
    assert loopback(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:80",
        "http://0.0.0.0:80",
        "http://localhost:80",
        "http://example.com:80",
        "http://127.0.0.1.example.com:80",
        "http://127.0.0.1@192.0.2.1:80",
        "http://user@127.0.0.1:80",
        "https://127.0.0.1:80",
        "http://127.0.0.1",
        "http://127.0.0.1:80/path",
        "http://127.0.0.1:99999",
        "127.0.0.1:80",
        "",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"loopback|[Pp]ort"):
        loopback(url)
