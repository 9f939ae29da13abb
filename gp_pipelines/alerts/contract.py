"""What the pipeline asks of a feed of alerts, and what an alert is, whoever sent it.

An alert decides nothing: whether it rolls a release back is said by `rollback/guards.py`, from what
the target says then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gp_pipelines.errors import GpError


class FeedUnreadable(GpError):
    """The feed could not be read: whether anything fires is unknown, never healthy."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as a feed knows it now. Labels and annotations are a stranger's text.

    `fingerprint` is the same for the same set of labels; together with `starts_at` it names one
    alert, however often it is sent.
    """

    feed: str  # alertmanager | webhook | probe
    fingerprint: str  # letters, digits, '-' and '_'
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime  # UTC, by the sender's clock
    seen_at: datetime  # UTC, when this project first had it
    resolved: bool = False
    launched: str | None = None  # the run launched for it at once; empty: that was not possible

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "alert without a name")


class Feed(Protocol):
    """One source of alerts for one service."""

    @property
    def name(self) -> str: ...

    def read(self) -> tuple[Alert, ...]:
        """The alerts that fire now for the service; those that were resolved may be among them.

        Raises `FeedUnreadable`. Bounded in time: a feed that hangs must not hold the others up.
        """
        ...
