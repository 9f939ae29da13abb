"""How often something may be done: a token bucket."""

from collections.abc import Callable


class Rate:
    """`each_second` times a second on average, and up to `at_once` times at once."""

    def __init__(self, each_second: float, at_once: int, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds. For one thread."""
        self._each_second = each_second
        self._at_once = at_once
        self._clock = clock
        self._left = float(at_once)
        self._at = clock()

    def is_over(self) -> bool:
        """Whether it must not be done now."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._at) * self._each_second)
        self._at = now
        return self._left < 1

    def count(self) -> None:
        """It was done."""
        self._left -= 1
