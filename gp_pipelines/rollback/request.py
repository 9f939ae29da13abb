"""What is asked of a rollback."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """The alert that asks for a rollback, as far as it is kept: a stranger's text is not."""

    feed: str
    name: str
    fingerprint: str
    starts_at: str  # ISO 8601
    seen_at: str
    decided_at: str = ""  # when nothing spoke against it, and a run was launched


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Undo `release_id`, if it is still live. Empty: whatever is live now."""

    release_id: str = ""
    reason: str = ""
    alert: AlertSeen | None = None  # None: a person asks
    now: bool = False  # a person's `--now`, which no other rollback stops

    @property
    def automatic(self) -> bool:
        return self.alert is not None
