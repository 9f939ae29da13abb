"""Wait for what another process does."""

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], still: Callable[[], bool] = lambda: True, seconds: float = 30
) -> None:
    """Until `condition`; fails if that takes too long, or once `still` does not hold any more."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert still(), "it has ended before"
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)
