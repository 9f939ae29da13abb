"""Waiting for Dagster and the target without keeping them busy by asking."""

import time
from collections.abc import Callable

EVERY_SECONDS = 0.25


def wait_until(
    condition: Callable[[], object], seconds: float = 30, every: float = EVERY_SECONDS
) -> None:
    """Fails if that takes longer."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it took longer than {seconds:g} s"
        time.sleep(every)
