"""What is kept of each request, and the words for how it ended."""

from dataclasses import dataclass
from enum import StrEnum


class Connection(StrEnum):
    """The connection that a request went out on."""

    FRESH = "fresh"  # made for this request, closed after it
    KEPT = "kept"  # had carried requests before
    OPENED = "opened"  # a keep-alive client's new one: its first, or the last answer ended the old
    REOPENED = "reopened"  # a keep-alive client's new one: the server had closed the idle old one


class Failure(StrEnum):
    """Why a request failed. Each is a request that a user would have lost."""

    REFUSED = "refused"  # nobody listened
    RESET = "reset"  # reset, or closed before the whole answer was there
    TIMED_OUT = "timed_out"
    SERVER_ERROR = "server_error"  # status 500 or above
    WRONG_ANSWER = "wrong_answer"  # another status or body than expected, or not HTTP
    NOT_SENT = "not_sent"  # this machine had no port or file descriptor left: counted, never hidden


@dataclass(frozen=True, slots=True)
class Record:
    """One request. Nothing in it is guessed: what no answer told is None."""

    number: int  # in the schedule, from 0; the service sees it as the header x-load-request
    begun: int  # ns since the epoch (time.time_ns), comparable with other processes' clocks
    late_us: int  # how far behind the schedule it was begun
    took_us: int  # from `begun` to the end of the answer, or to the failure
    request: str  # GET /api/missions/{id}
    status: int  # 0: no answer
    version: str | None  # who answered: the header x-version, or the answer's JSON
    release: str | None  # who answered: the header x-gp-release
    error: str  # the failure in words; empty where there is none
    connection: Connection
    failure: Failure | None

    @property
    def ended(self) -> int:
        """When the answer was there, in ns since the epoch."""
        return self.begun + self.took_us * 1000


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that the process which uses the load gave a name, to tell windows apart."""

    at: int  # ns since the epoch
    name: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """The generator's sign of life."""

    at: int  # ns since the epoch
    complete_until: int  # every request that was begun before this is in the log
    cpu_ns: int  # processor time that the generator has taken since it started
    last: bool  # the generator has ended in good order: nothing will follow
