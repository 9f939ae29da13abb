"""The words of the design as frozen values, without I/O.

A *slot* is one release on one color. The *traffic record* is what the target knows about one
service: what is live, what may be gone back to, who may change it (the fence), and until when.
Times are the target's, in UTC.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Progress = Callable[[str], None]  # told in a line, every few seconds, how far a long work is


class Color(StrEnum):
    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> "Color":
        return Color.GREEN if self is Color.BLUE else Color.BLUE


class SlotState(StrEnum):
    """Why a slot that is not live still stands."""

    WARM = "warm"  # a rollback may go back to it until its deadline
    RETIRING = "retiring"  # being drained and removed: nothing may switch to it any more
    WAITING = "waiting"  # proved, waits for a person to promote it
    KEPT = "kept"  # failed, kept to be looked at until its deadline


class MovedBy(StrEnum):
    """What put the present live slot there: only a release's move is ever switched back."""

    RELEASE = "release"
    ROLLBACK = "rollback"
    SWITCH_BACK = "switch_back"
    RESTORE = "restore"
    REPAIR = "repair"


@dataclass(frozen=True, slots=True)
class Slot:
    """One release on one color. `digest` and `config_hash` together are what its version *is*."""

    name: str  # <service>-<color>-<short release id>, unique on the target
    release_id: str
    number: int  # the short number that people see: #12
    version: str
    digest: str  # sha256:…
    config_hash: str
    color: Color
    replicas: int

    def describe(self) -> str:
        return f"{self.version} (#{self.number}, {self.color})"


@dataclass(frozen=True, slots=True)
class KeptSlot:
    """A slot that is not live, with the reason why it stands and until when."""

    slot: Slot
    state: SlotState
    deadline: datetime | None  # absolute; None: until somebody decides (waiting)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the fence: one attempt (`run_id`) at one release, rollback or cleanup."""

    run_id: str
    release_id: str
    # release | promote | rollback | restore | cleanup | contract | reconcile | repair | reject
    kind: str
    actor: str
    number: int = 0

    def describe(self) -> str:
        number = f" #{self.number}" if self.number else ""
        return f"{self.kind}{number} by {self.actor} (run {self.run_id})"


@dataclass(frozen=True, slots=True)
class AutomaticRollback:
    """A release that an alert has undone, and when: so that flapping ends."""

    release_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TrafficRecord:
    """The one object per service that says where its traffic goes and why. See shared design."""

    service: str
    revision: int = 0  # counted up by each write
    fence: int = 0  # counted up by each taking
    holder: Holder | None = None
    live: Slot | None = None
    previous: Slot | None = None
    moved_by: MovedBy | None = None
    mover: Holder | None = None  # who put the present live slot there
    switched_at: datetime | None = None
    confirmed: bool = True
    confirm_by: datetime | None = None
    undone: str | None = None  # the release that the last rollback or switch-back undid
    kept: tuple[KeptSlot, ...] = ()
    releases: int = 0  # the number given to the newest release
    automatic: tuple[AutomaticRollback, ...] = ()  # the last ones, oldest first

    def kept_slot(self, name: str) -> KeptSlot | None:
        return next((kept for kept in self.kept if kept.slot.name == name), None)

    @property
    def waiting(self) -> Slot | None:
        """The slot of the release that waits to be promoted: its reservation."""
        return next((k.slot for k in self.kept if k.state is SlotState.WAITING), None)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The holder's sign of life. `renewals` only ever changes while its process lives."""

    run_id: str
    fence: int
    renewals: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """That a step of a release was passed, bound to the release and to what its version is."""

    step: str
    release_id: str
    digest: str
    config_hash: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is deployed, by digest."""

    service: str
    version: str
    digest: str  # sha256:… over everything that decides how it behaves
    location: str  # where the target finds it: a directory locally, an image reference elsewhere
    size: int  # bytes
    built: bool  # now; False: a stored one was taken


@dataclass(frozen=True, slots=True)
class Plan:
    """What a release is going to do, and the state of the target that it was decided on."""

    service: str
    release_id: str
    number: int
    version: str
    config_hash: str
    color: Color  # the idle color, where the new slot goes
    replicas: int
    live: Slot | None  # at the time of the plan; a target that moved on since is refused
    manual: bool
    redeploy: bool
    actor: str
    accept_findings: str = ""  # why its migrations are applied whatever the gate finds

    @property
    def slot_name(self) -> str:
        return f"{self.service}-{self.color}-{short_id(self.release_id)}"

    def slot(self, artifact: Artifact) -> Slot:
        return Slot(
            name=self.slot_name,
            release_id=self.release_id,
            number=self.number,
            version=self.version,
            digest=artifact.digest,
            config_hash=self.config_hash,
            color=self.color,
            replicas=self.replicas,
        )


def short_id(release_id: str) -> str:
    """The first eight characters of a release id: enough to tell slots of a service apart."""
    return release_id.replace("-", "")[:8]
