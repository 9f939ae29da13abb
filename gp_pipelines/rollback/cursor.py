"""What a tick of the rollback sensor leaves for the next one, and for whoever watches the sensor.

Anybody who reaches Dagster's webserver may have written it, and so may another version of this
project: what cannot be understood is forgotten. That costs a second launch at most, which the
target refuses.
"""

from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from gp_pipelines.rollback.watch import Memory

GUARDS = "guards"  # among the feeds: whether what they say could be judged


@dataclass(frozen=True, slots=True)
class FeedSeen:
    """When a feed could be read last (seconds since the epoch), and why not since then."""

    read_at: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """`services` and `feeds` by service, the latter by the feed's name, too."""

    services: dict[str, Memory] = field(default_factory=dict)
    feeds: dict[str, dict[str, FeedSeen]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return _FORM.dump_json(self).decode()


_FORM = TypeAdapter(Cursor)


def understood(text: str | None) -> Cursor:
    """An empty one where there is none, or nothing that this version understands."""
    try:
        return _FORM.validate_json(text or "{}")
    except ValidationError:
        return Cursor()
