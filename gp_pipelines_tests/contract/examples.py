"""Slots and records to write, and a slot brought up as a release does it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gp_pipelines.model import (
    Color,
    Holder,
    KeptSlot,
    MovedBy,
    Slot,
    SlotState,
    TrafficRecord,
    short_id,
)
from gp_pipelines.targets.contract import Reading, Target
from gp_pipelines_tests.contract.subject import Behaviour, Subject
from gp_pipelines_tests.databases.waiting import wait_until

# Not a whole number of milliseconds, and not on a whole second: nothing may be rounded.
SWITCHED_AT = datetime(2026, 2, 3, 4, 5, 6, 789123, tzinfo=UTC)


def a_slot(subject: Subject, color: Color, version: str = "v1", replicas: int = 1) -> Slot:
    release_id = f"{version}0000000-{color}"
    return Slot(
        name=f"{subject.service}-{color}-{short_id(release_id)}",
        release_id=release_id,
        number=7,
        version=version,
        digest="sha256:" + "ab" * 32,
        config_hash="0123456789abcdef",
        color=color,
        replicas=replicas,
    )


def a_full_record(subject: Subject) -> TrafficRecord:
    """With every field filled, and with text that formats like to break."""
    live, previous = a_slot(subject, Color.GREEN, "v2"), a_slot(subject, Color.BLUE)
    return TrafficRecord(
        service=subject.service,
        revision=1,
        fence=2**53 - 1,
        holder=Holder("run-1", "release-1", "release", 'Zoë "the <cat>"\n', 12),
        live=live,
        previous=previous,
        moved_by=MovedBy.RELEASE,
        switched_at=SWITCHED_AT,
        confirmed=False,
        confirm_by=SWITCHED_AT + timedelta(seconds=30),
        undone="release-0",
        kept=(
            KeptSlot(previous, SlotState.WARM, SWITCHED_AT + timedelta(hours=1)),
            KeptSlot(a_slot(subject, Color.BLUE, "v3"), SlotState.WAITING, None),
        ),
        releases=12,
    )


def write_next(target: Target, record: TrafficRecord) -> Reading:
    """Write `record` over whatever is there, as its next revision, and keep the copy."""
    before = target.traffic.read()
    following = replace(record, revision=before.record.revision + 1)
    written = target.traffic.write(following, before)
    target.traffic.write_copy(written.record)
    return written


def bring_up(subject: Subject, slot: Slot, behaviour: Behaviour = Behaviour.GOOD) -> None:
    """Start `slot` and put it behind its color once all of its replicas are ready."""
    target = subject.target
    target.slots.start(slot, subject.launch(slot.version, behaviour))
    wait_until(lambda: (status := target.slots.get(slot.name)) and status.ready == slot.replicas)
    put_behind(target, slot)


def put_behind(target: Target, slot: Slot) -> None:
    before = target.traffic.read_color(slot.color)
    target.traffic.write_color(slot.color, slot, before.fence + 1, before)


def switch_to(target: Target, slot: Slot | None) -> None:
    """Send traffic to `slot` (None: to nobody), and wait until the data plane does."""
    record = target.traffic.read().record
    written = write_next(target, replace(record, live=slot, previous=record.live))
    wait_until(lambda: target.traffic.in_force(written.record))
