"""A target in memory, with a clock of its own: for outcomes by script, thousands of steps a second.

`World` is what is really there. A `FakeTarget` is one program's way to it: each call of the
contract first asks `before`, which may pause the program there, or end it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gp_pipelines.errors import Conflict, RecordLost, StepFailed, TargetUnavailable
from gp_pipelines.model import Color, Heartbeat, Slot, TrafficRecord
from gp_pipelines.targets.contract import (
    Answer,
    ColorReading,
    Launch,
    Reading,
    Replica,
    RequestCounts,
    SlotStatus,
)

BEGINNING = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


@dataclass
class World:
    """Everything of one service that is on the target."""

    service: str
    seconds: float = 0.0  # since the beginning
    skew: float = 0.0  # of the target's clock, in seconds
    latest: datetime = BEGINNING  # that it has shown before it was set back
    record: TrafficRecord = field(init=False)
    token: int = 0
    copy: TrafficRecord | None = None
    colors: dict[Color, ColorReading] = field(default_factory=dict)
    beat: Heartbeat | None = None
    beat_at: float = 0.0
    slots: dict[str, SlotStatus] = field(default_factory=dict)
    documents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    lost: bool = False  # the record: somebody has deleted its object
    edits: tuple[str, ...] = ()  # by hand
    observed: Color | None = None  # by hand; else where the record says
    unavailable: bool = False
    stuck: str = ""  # who keeps everybody from writing
    launches: dict[str, Launch] = field(default_factory=dict)  # the last one of each slot
    never_ready: set[str] = field(default_factory=set)  # releases, by id
    half_ready: set[str] = field(default_factory=set)  # releases: one replica only
    broken: set[str] = field(default_factory=set)  # releases that answer users with 500
    fails_smoke: set[str] = field(default_factory=set)  # releases
    fails_on: dict[str, set[str]] = field(default_factory=dict)  # releases, by a database's URL
    counts: dict[Color, RequestCounts] = field(default_factory=dict)  # of users' requests
    answers_lost: int = 0  # so many next writes happen, and their writer does not hear of it
    # Told after each change: of what, and the record as it was before. `acting` is the run id of
    # the program that makes it.
    watchers: list[Callable[[str, TrafficRecord], None]] = field(default_factory=list)
    acting: str = ""

    def __post_init__(self) -> None:
        self.record = TrafficRecord(self.service)
        self.colors = {color: ColorReading(color, None, None, 0, "0") for color in Color}

    @property
    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.seconds + self.skew)

    def jump(self, seconds: float) -> None:
        """The target's clock is set, forwards or back."""
        self.latest = max(self.latest, self.now)
        self.skew += seconds

    def has_been(self, time: datetime) -> bool:
        """Whether the target's clock has ever shown it."""
        return time <= max(self.latest, self.now)

    def edit(self, observed: Color | None) -> None:
        """Somebody sends traffic by hand: to a color, or (None) to both by weights."""
        self.observed = observed
        self.edits = (f"A person sends the traffic to {observed or 'both colors'}.",)

    def come_up(self, slot: Slot) -> list[bool]:
        """Which of its replicas do."""
        if slot.release_id in self.half_ready:
            return [n == 0 for n in range(slot.replicas)]
        return [slot.release_id not in self.never_ready] * slot.replicas

    def ready(self, name: str) -> int:
        return self.slots[name].ready if name in self.slots else 0

    def copy_age(self) -> int:
        return self.copy.fence if self.copy else 0

    def answer(self, color: Color | None, preview: bool = False) -> Answer:
        """What a request gets that is sent to `color` (None: to nobody)."""
        name = self.colors[color].slot_name if color else None
        if name is None or not self.ready(name):
            return Answer(False, 503, None, None, 0.001, "nobody is there")
        slot = self.slots[name].slot
        if slot.release_id in self.broken and not preview:
            return Answer(False, 500, slot.release_id, slot.version, 0.001, "status 500")
        return Answer(True, 200, slot.release_id, slot.version, 0.001)

    def changed(self, what: str, before: TrafficRecord) -> None:
        for watcher in self.watchers:
            watcher(what, before)


def at_once(call: str) -> None:
    """The `before` of a program that nothing happens to."""


class FakeTarget:
    """Implements `contract.Target` for one program."""

    def __init__(self, world: World, before: Callable[[str], None] = at_once) -> None:
        self.world = world
        self.traffic = FakeTraffic(world, before)
        self.slots = FakeSlots(world, before)
        self._before = before
        self.entrance = FakeEntrance(world, before)
        self.ledger = FakeLedger(world, before)

    def require_up(self) -> None:
        _require_available(self.world)

    @contextmanager
    def rehearse(
        self, slot: Slot, launch: Launch, timeout: float, progress: Callable[[str], None]
    ) -> Iterator[str]:
        self._before("rehearse")
        if slot.release_id in self.world.never_ready:
            raise StepFailed(f"One more replica of {slot.describe()} did not come up.")
        yield f"http://rehearsal/{slot.release_id}?{launch.secrets.get('DATABASE_URL')}"


class FakeTraffic:
    """Implements `contract.TrafficStore`."""

    def __init__(self, world: World, before: Callable[[str], None]) -> None:
        self._world = world
        self._before = before

    def read(self) -> Reading:
        self._begin("read")
        if self._world.lost:
            raise RecordLost("the traffic record is gone")
        return self._reading()

    def write(self, record: TrafficRecord, over: Reading) -> Reading:
        self._begin("write")
        if self._world.stuck:
            raise TargetUnavailable(f"{self._world.stuck} does not let the lock go")
        if over.token != str(self._world.token) or self._world.lost:
            raise Conflict("the record was changed")
        written = self._put(record)
        self._before("written")
        if self._world.answers_lost:
            self._world.answers_lost -= 1
            raise TargetUnavailable("the connection broke before the answer")
        return written

    def in_force(self, record: TrafficRecord) -> bool:
        self._begin("in_force")
        return self._world.record == record

    def end_stuck_writer(self) -> str | None:
        stuck, self._world.stuck = self._world.stuck, ""
        return stuck or None

    def read_copy(self) -> TrafficRecord | None:
        self._begin("read_copy")
        return self._world.copy

    def write_copy(self, record: TrafficRecord) -> None:
        self._begin("write_copy")
        copy = self._world.copy
        if copy is None or (copy.fence, copy.revision) <= (record.fence, record.revision):
            self._world.copy = record
            self._world.changed("copy", self._world.record)

    def make_again(self, record: TrafficRecord) -> Reading:
        self._begin("make again")
        if not self._world.lost:
            raise Conflict("the record is there")
        self._world.lost = False
        return self._put(record, "made again")

    def read_color(self, color: Color) -> ColorReading:
        self._begin("read_color")
        return self._world.colors[color]

    def write_color(
        self, color: Color, slot: Slot | None, fence: int, over: ColorReading
    ) -> ColorReading:
        self._begin("write_color")
        present = self._world.colors[color]
        if over.token != present.token:
            raise Conflict(f"{color} was changed")
        self._world.colors[color] = ColorReading(
            color,
            slot.name if slot else None,
            slot.release_id if slot else None,
            fence,
            str(int(present.token) + 1),
        )
        self._world.changed(f"color {color}", self._world.record)
        return self._world.colors[color]

    def heartbeat(self) -> Heartbeat | None:
        self._begin("heartbeat")
        return self._world.beat

    def renew(self, run_id: str, fence: int) -> None:
        self._begin("renew")
        last = self._world.beat
        same = last is not None and (last.run_id, last.fence) == (run_id, fence)
        self._world.beat = Heartbeat(run_id, fence, last.renewals + 1 if last and same else 1)
        self._world.beat_at = self._world.seconds

    def _begin(self, call: str) -> None:
        self._before(call)
        _require_available(self._world)

    def _reading(self) -> Reading:
        world = self._world
        live = world.record.live
        observed = world.observed or (live.color if live else None)
        return Reading(world.record, str(world.token), world.now, observed, world.edits)

    def _put(self, record: TrafficRecord, what: str = "record") -> Reading:
        before, self._world.record = self._world.record, record
        if self._world.edits:  # what was changed by hand is replaced
            self._world.edits, self._world.observed = (), None
        self._world.token += 1
        self._world.changed(what, before)
        return self._reading()


class FakeSlots:
    """Implements `contract.Slots`. A slot is ready at once, or never."""

    def __init__(self, world: World, before: Callable[[str], None]) -> None:
        self._world = world
        self._before = before

    def list(self) -> tuple[SlotStatus, ...]:
        self._begin("list slots")
        return tuple(self._world.slots.values())

    def get(self, name: str) -> SlotStatus | None:
        self._begin("get slot")
        return self._world.slots.get(name)

    def start(self, slot: Slot, launch: Launch) -> None:
        self._begin("start")
        replicas = tuple(
            Replica(f"{slot.name}.{n}", ready, 0, "" if ready else "its health check answers 503")
            for n, ready in enumerate(self._world.come_up(slot), start=1)
        )
        self._world.launches[slot.name] = launch
        self._world.slots[slot.name] = SlotStatus(slot, replicas)
        self._world.changed(f"start {slot.name}", self._world.record)

    def remove(self, name: str, drain_seconds: float, progress: Callable[[str], None]) -> None:
        self._begin("remove")
        if self._world.slots.pop(name, None) is not None:
            self._world.changed(f"remove {name}", self._world.record)

    def logs(self, name: str, lines: int = 200) -> Mapping[str, str]:
        status = self._world.slots.get(name)
        return {each.name: "its last line" for each in status.replicas} if status else {}

    def _begin(self, call: str) -> None:
        self._before(call)
        _require_available(self._world)


class FakeEntrance:
    """Implements `contract.Entrance`."""

    url = "http://entrance"

    def __init__(self, world: World, before: Callable[[str], None]) -> None:
        self._world = world
        self._before = before

    def preview_url(self, color: Color) -> str:
        return f"http://preview/{color}"

    def ask(
        self, path: str, *, fresh: int, kept_alive: int, preview: Color | None = None
    ) -> tuple[Answer, ...]:
        self._before("ask")
        live = self._world.record.live
        color = preview or self._world.observed or (live.color if live else None)
        return (self._world.answer(color, preview is not None),) * (fresh + kept_alive)

    def lost(self) -> int | None:
        return None

    def counts(self) -> Mapping[Color, RequestCounts]:
        self._before("counts")
        _require_available(self._world)
        return {color: self._world.counts.get(color, RequestCounts(0, 0)) for color in Color}


class FakeLedger:
    """Implements `contract.Ledger`."""

    def __init__(self, world: World, before: Callable[[str], None]) -> None:
        self._world = world
        self._before = before

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        self._before("get document")
        document = self._world.documents.get((kind, key))
        return dict(document) if document is not None else None

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        self._before("put document")
        self._world.documents[kind, key] = dict(document)

    def delete(self, kind: str, key: str) -> None:
        self._before("delete document")
        self._world.documents.pop((kind, key), None)

    def list(self, kind: str) -> dict[str, dict[str, Any]]:
        self._before("list documents")
        return {key: dict(d) for (k, key), d in self._world.documents.items() if k == kind}


def with_ready(status: SlotStatus, ready: int) -> SlotStatus:
    """The same slot with only so many ready replicas."""
    replicas = tuple(replace(r, ready=n < ready) for n, r in enumerate(status.replicas))
    return replace(status, replicas=replicas)


def _require_available(world: World) -> None:
    if world.unavailable:
        raise TargetUnavailable("the target cannot be reached")
