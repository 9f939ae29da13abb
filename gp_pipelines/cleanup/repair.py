"""Ending a drift, as a person decides it: back to what is recorded, or the record to what is."""

import time
from collections.abc import Callable
from typing import Literal

from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.model import Holder, Progress, Slot, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.targets.contract import Reading, Target
from gp_pipelines.traffic import colors, events, transitions
from gp_pipelines.traffic.conclude import confirm
from gp_pipelines.traffic.fence import Hold, Repair, take
from gp_pipelines.traffic.lost_record import restore_lost_record
from gp_pipelines.traffic.verify import verify

To = Literal["recorded", "observed"]
REPAIR_SECONDS = 120.0


def repair(
    platform: Platform,
    holder: Holder,
    to: To,
    reason: str,
    progress: Progress,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Send traffic to what is recorded, or record where it goes. Returns what is live then.

    Raises `Refused` where nothing stands that could be recorded, `Busy`, `StepFailed` when the
    traffic can't be verified afterwards.
    """
    target, service = platform.target, platform.service
    restored = restore_lost_record(target)
    if restored is not None:
        progress("the traffic record was lost, and was made again from its copy")
    before = target.traffic.read()
    change = _change(target, to)
    hold = take(target.traffic, holder, progress, repair=change, clock=clock, sleep=sleep)
    try:
        with hold.step(REPAIR_SECONDS):
            live = hold.read().record.live
            if live is not None:
                colors.point(hold, target.traffic, live.color, live)
            _leave_event(hold, target, before.record.live, live, to, reason)
            if to == "observed":
                _accept(hold, target, reason)
            seen = verify(
                target,
                hold.read().record,
                service.identity.path,
                service.timeouts.switch,
                clock=clock,
                sleep=sleep,
            )
    finally:
        hold.leave()
    now_live = live.describe() if live else "nothing (503)"
    if not seen.passed:
        raise StepFailed(
            f"{service.name} was repaired to {now_live}, but that could not be verified: "
            f"{seen.detail}.",
            state=f"The record says {now_live}.",
            advice=f"See `gp status {service.name}` and `gp logs {service.name}`.",
        )
    return now_live


def _change(target: Target, to: To) -> Repair:
    """The record that ends the drift; written in the very write that takes the fence."""
    if to == "recorded":
        return lambda record, reading: record
    observed = _observed_slot(target)

    def adopted(record: TrafficRecord, reading: Reading) -> TrafficRecord:
        return transitions.observed_adopted(record, observed, reading.now)

    return adopted


def _accept(hold: Hold, target: Target, reason: str) -> None:
    """A move that could never be verified stands, since a person says so.

    Without that, nothing could ever be released over a live version that does not answer and has
    no old slot to go back to.
    """
    if not hold.read().record.confirmed:
        confirm(hold, target, reason)


def _observed_slot(target: Target) -> Slot | None:
    color = target.traffic.read().observed
    if color is None:
        return None
    name = target.traffic.read_color(color).slot_name
    standing = target.slots.get(name) if name else None
    if standing is None:
        raise Refused(
            f"Traffic goes to {color}, and no slot of ours stands there that could be recorded.",
            state="Nothing was changed.",
            advice="Repair it `--to recorded` instead.",
        )
    return standing.slot


def _leave_event(
    hold: Hold, target: Target, before: Slot | None, live: Slot | None, to: To, reason: str
) -> None:
    reading = hold.read()
    release_id = live.release_id if live else ""
    events.write(
        target.ledger,
        events.Event(
            key=events.key("repair", reading.now, release_id or "none"),
            what="repair",
            at=reading.now,
            before=events.describe(before),
            after=events.describe(live),
            release_id=release_id,
            holder=hold.holder,
            reason=f"to {to}: {reason}",
        ),
    )
