"""What people are told, before it is put into any channel's format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    RELEASE_SUCCEEDED = "release_succeeded"
    RELEASE_WAITING = "release_waiting"  # proved, and somebody is to promote it
    RELEASE_FAILED = "release_failed"
    ROLLBACK_SUCCEEDED = "rollback_succeeded"
    ROLLBACK_FAILED = "rollback_failed"
    RESTORE_SUCCEEDED = "restore_succeeded"
    RESTORE_FAILED = "restore_failed"
    FROZEN = "frozen"
    NOT_WATCHED = "not_watched"
    WATCHED_AGAIN = "watched_again"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"  # somebody should look at it
    CRITICAL = "critical"  # somebody must look at it now


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing that happened to one service.

    `title` is one line that is enough by itself; `what` says what happened, what holds now and what
    to do. All texts may quote strangers: each format escapes them.
    """

    kind: Kind
    service: str
    title: str
    what: str
    severity: Severity
    at: datetime
    run_id: str | None = None
    url: str | None = None  # where the run is to be seen
    facts: Mapping[str, str] = field(default_factory=dict)
