"""Functions with one of their conditions taken out, for as long as a test wants it."""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """`old` in the text of `function` reads `new` instead: without it, a condition never holds."""

    function: Callable[..., Any]
    old: str
    new: str = "False"


@contextmanager
def changed(*changes: Change) -> Iterator[None]:
    with ExitStack() as stack:
        for change in changes:
            stack.enter_context(_changed(change))
        yield


@contextmanager
def _changed(change: Change) -> Iterator[None]:
    """In place, so that whoever imported the function has the changed one too."""
    function: Any = inspect.unwrap(change.function)
    text = _text(function)
    assert text.count(change.old) == 1, f"{function.__qualname__} has no single {change.old!r}"
    found: dict[str, Any] = {}
    exec(text.replace(change.old, change.new), function.__globals__, found)
    before = function.__code__, _TEXTS.get(function, "")
    function.__code__ = found[function.__name__].__code__
    _TEXTS[function] = text.replace(change.old, change.new)
    try:
        yield
    finally:
        function.__code__, _TEXTS[function] = before


# Of functions that are changed now (empty: not any more); inspect would read the unchanged ones.
_TEXTS: dict[Callable[..., Any], str] = {}


def _text(function: Callable[..., Any]) -> str:
    return _TEXTS.get(function) or textwrap.dedent(inspect.getsource(function))
