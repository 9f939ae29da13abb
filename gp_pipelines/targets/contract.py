"""What the pipeline asks of a target, for one service. Code above never asks which kind it has.

The target holds the truth: everything here is read from it afresh. A method that cannot reach the
target raises `TargetUnavailable`. Nothing here decides anything: fences, switches and retirements
are `traffic/`'s.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gp_pipelines.model import Artifact, Color, Heartbeat, Progress, Slot, TrafficRecord


@dataclass(frozen=True, slots=True)
class Reading:
    """The switched object as it was just read.

    `token` is the driver's own version of the object (a resourceVersion, a content hash): a write
    names the reading that it was decided on, and conflicts if the object has changed since.
    `observed` is where the object really sends traffic, whatever the record says.
    """

    record: TrafficRecord
    token: str
    now: datetime  # the target's clock, UTC
    observed: Color | None
    edits: tuple[str, ...] = ()  # what a person changed by hand, each in a sentence: drift


@dataclass(frozen=True, slots=True)
class ColorReading:
    """The object that says which slot's replicas stand behind a color."""

    color: Color
    slot_name: str | None
    release_id: str | None
    fence: int  # of the last writer
    token: str
    edits: tuple[str, ...] = ()  # as in `Reading`


class TrafficStore(Protocol):
    """The objects that move traffic. Every write is a compare-and-swap."""

    def read(self) -> Reading:
        """The record as it is now; an empty one (revision 0) for a service that never had any.

        Raises `RecordLost` where there was one, and is none that can be read.
        """
        ...

    def write(self, record: TrafficRecord, over: Reading) -> Reading:
        """Replace the object that `over` is a reading of, and so send traffic to `record.live`.

        Raises `Conflict` if the object is not the one that `over` saw. Atomic: a crash leaves the
        old or the new object.
        """
        ...

    def in_force(self, record: TrafficRecord) -> bool:
        """Whether the data plane has taken this record's routing up (not only been told)."""
        ...

    def end_stuck_writer(self) -> str | None:
        """End whoever keeps others from writing, and says so for longer than a write can take.

        A rollback asks for it first. Returns who that was, None if nobody was in the way.
        """
        ...

    def read_copy(self) -> TrafficRecord | None:
        """The copy of the record kept elsewhere, from which a deleted object is made again."""
        ...

    def write_copy(self, record: TrafficRecord) -> None:
        """Keep `record` as the copy, unless the copy is newer (by fence, then by revision)."""
        ...

    def make_again(self, record: TrafficRecord) -> Reading:
        """Write the switched object afresh where it is gone or unreadable.

        Raises `Conflict` if it is there and readable after all.
        """
        ...

    def read_color(self, color: Color) -> ColorReading: ...

    def write_color(
        self, color: Color, slot: Slot | None, fence: int, over: ColorReading
    ) -> ColorReading:
        """Put `slot`'s replicas (or nothing) behind `color`, stamped with `fence`.

        Raises `Conflict` if the color's object is not the one that `over` saw.
        """
        ...

    def heartbeat(self) -> Heartbeat | None: ...

    def renew(self, run_id: str, fence: int) -> None:
        """Show that the holder lives: counts `renewals` up."""
        ...


@dataclass(frozen=True, slots=True)
class Launch:
    """How a slot's replicas are started. `secrets` reach the process and nothing else."""

    artifact: Artifact
    command: Sequence[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    health_path: str = "/health"
    drain_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Replica:
    name: str
    ready: bool
    restarts: int
    detail: str  # what a person would want to know: state, exit reason, last error


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """A slot that stands on the target, and how it is."""

    slot: Slot
    replicas: tuple[Replica, ...]

    @property
    def ready(self) -> int:
        return sum(replica.ready for replica in self.replicas)

    @property
    def wanted(self) -> int:
        return self.slot.replicas


class Slots(Protocol):
    """The replicas of releases. Named by release; every method may be called again."""

    def list(self) -> tuple[SlotStatus, ...]: ...

    def get(self, name: str) -> SlotStatus | None: ...

    def start(self, slot: Slot, launch: Launch) -> None:
        """Bring the slot up, or carry on where a killed run left it. Returns before it is ready."""
        ...

    def remove(self, name: str, drain_seconds: float, progress: Progress) -> None:
        """Drain the replicas (each may end its requests in flight), then remove the slot.

        `progress` is told every few seconds how far that is.
        """
        ...

    def logs(self, name: str, lines: int = 200) -> Mapping[str, str]:
        """The last lines of each replica's log, by replica name."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """One request through the entrance: who answered, and how."""

    ok: bool
    status: int  # 0: no answer
    release_id: str | None  # None: this target cannot tell
    version: str | None
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests for one color that have ended since the entrance was started."""

    total: int
    failed: int  # of them: with 5xx, whether a replica said so or the entrance, for want of one


class Entrance(Protocol):
    """The address that users reach, and the idle slot's own."""

    @property
    def url(self) -> str: ...

    def preview_url(self, color: Color) -> str: ...

    def ask(
        self, path: str, *, fresh: int, kept_alive: int, preview: Color | None = None
    ) -> tuple[Answer, ...]:
        """`fresh` requests each on a new connection and `kept_alive` on one open connection.

        Asked at the entrance, or at the preview of a color. Never retried, never raises: a request
        without an answer is an `Answer` with status 0.
        """
        ...

    def lost(self) -> int | None:
        """Requests that the entrance itself has failed so far (a counter), None if not known."""
        ...

    def counts(self) -> Mapping[Color, RequestCounts]:
        """Of each color. Each only goes up, until the entrance is started anew and begins at 0.

        One request is counted once, however often it was tried.
        """
        ...


class Ledger(Protocol):
    """Small documents beside the record: evidence, quarantine, freeze, counts, events.

    Kinds and keys are plain names; a document is a JSON object. Writes are atomic.
    """

    def get(self, kind: str, key: str) -> dict[str, Any] | None: ...

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None: ...

    def delete(self, kind: str, key: str) -> None: ...

    def list(self, kind: str) -> dict[str, dict[str, Any]]: ...


class Target(Protocol):
    """One service on one target."""

    @property
    def traffic(self) -> TrafficStore: ...

    @property
    def slots(self) -> Slots: ...

    @property
    def entrance(self) -> Entrance: ...

    @property
    def ledger(self) -> Ledger: ...

    def rehearse(
        self, slot: Slot, launch: Launch, timeout: float, progress: Progress
    ) -> AbstractContextManager[str]:
        """One more replica of what runs in `slot`, which no user reaches: its URL.

        Nothing of it is left on leaving, or after the next call if this one is killed. Raises
        `StepFailed`, with its last log lines, if it is not healthy within `timeout` seconds.
        """
        ...

    def require_up(self) -> None:
        """Raise `TargetUnavailable`, with what to do, unless releases can work on it now."""
        ...
