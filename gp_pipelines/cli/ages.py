"""Times for people: how long ago, or how long still."""

from datetime import datetime


def ago(then: datetime, now: datetime) -> str:
    return f"{_span((now - then).total_seconds())} ago"


def until(then: datetime, now: datetime) -> str:
    left = (then - now).total_seconds()
    return f"in {_span(left)}" if left > 0 else "now"


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
