"""The corpus of migrations: the gate's verdict on each, and that the verdict is the truth."""

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest

from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS
from gp_pipelines_tests.databases.corpus import proof
from gp_pipelines_tests.databases.corpus.case import Case, cases
from gp_pipelines_tests.databases.corpus.judge import database_of, judge, live_server
from gp_pipelines_tests.databases.server import running_server

CASES = cases()
_numbers = itertools.count()


@pytest.fixture(scope="session")
def live() -> Iterator[str]:
    """The URL of a server as superuser; each test has a database of its own there."""
    with live_server() as url:
        yield url


@pytest.fixture(scope="session")
def shadow_server() -> Iterator[str]:
    with running_server(*SERVER_SETTINGS) as url:
        yield url


def test_there_are_enough_of_each_kind() -> None:
    counts = Counter(case.expected for case in CASES)
    assert len(CASES) >= 60
    assert set(counts) == {"compatible", "needs_approval", "breaking"}
    assert min(counts.values()) >= 15


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict(case: Case, live: str, shadow_server: str) -> None:
    with database_of(case, live, f"case_{next(_numbers)}") as url:
        report = judge(case, url, shadow_server)
    assert str(report.verdict) == case.expected, f"{case.why}\n{report.as_markdown()}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_truth(case: Case, live: str) -> None:
    """The old version's queries work before; after it, those that the case names do not."""
    with (
        database_of(case, live, f"case_{next(_numbers)}") as url,
        proof.connect(url, case.role) as running,
    ):
        worked = []
        for number, query in enumerate(case.queries):
            proof.prepare(running, number, query)
            worked.append(proof.execute(running, number, query))
            assert not worked[-1].error, f"before the migration: {query.sql}: {worked[-1].error}"
        if case.waits:
            assert proof.waits(url, case)
        proof.migrate(url, case)
        with proof.connect(url, case.role) as started_anew:
            for number, query in enumerate(case.queries):
                now = proof.run_anew(started_anew, number, query)
                assert bool(now.error) == query.fails, f"{query.sql}: {now.error or 'no error'}"
                running_on = proof.execute(running, number, query)
                if not query.fails:
                    assert bool(running_on.error) == query.fails_in_open_sessions, query.sql
                    assert (now.rows < worked[number].rows) == query.loses, query.sql
        assert proof.may_connect(url, case.role) is not case.cannot_connect
    assert case.breaks is (case.expected == "breaking")
