"""httpx logs the address of every request; that of a channel is a secret."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_delivering = ContextVar("delivering", default=False)


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _delivering.get()


_FILTER = _Filter()


@contextmanager
def unlogged() -> Iterator[None]:
    """httpx logs nothing of what this thread sends meanwhile."""
    logging.getLogger("httpx").addFilter(_FILTER)  # once: adding it again changes nothing
    token = _delivering.set(True)
    try:
        yield
    finally:
        _delivering.reset(token)
