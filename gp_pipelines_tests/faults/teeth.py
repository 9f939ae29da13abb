"""Whether a story fails once the rule that it tells of is taken out."""

from pathlib import Path
from typing import Any

import pytest

from gp_pipelines_tests.faults.taken_out import Change, changed

TESTS = Path(__file__).parents[1]
_ALONE = ("-q", "--no-header", "-x", "--tb=no", "-o", "addopts=")
_WITHOUT = ("no:cacheprovider", "no:xdist", "no:timeout")


class _Failures:
    """What failed in the inner run, and how."""

    def __init__(self) -> None:
        self.found: list[type[BaseException]] = []

    def pytest_exception_interact(self, call: Any) -> None:
        self.found.append(call.excinfo.type)


def require_told(story: str, *changes: Change) -> None:
    """Run `story` (`file.py::test`) as pytest runs it, with `changes` made: it has to fail.

    Raises `AssertionError` where it passes, or fails for another reason than an assertion of its.
    """
    file, _, name = story.partition("::")
    plugins = [part for each in _WITHOUT for part in ("-p", each)]
    arguments = [*_ALONE, *plugins, str(TESTS / file), *(["-k", name] if name else [])]
    failures = _Failures()
    with changed(*changes):
        ended = pytest.main(arguments, plugins=[failures])
    assert ended is pytest.ExitCode.TESTS_FAILED, f"{story} tells nothing of it"
    assert set(failures.found) == {AssertionError}, "the change made no sense to Python"
