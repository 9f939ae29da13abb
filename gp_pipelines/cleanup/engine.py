"""Retiring what is due. The deadline is absolute and on the target; the clock is the target's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gp_pipelines.model import Holder, KeptSlot, Progress, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.traffic.fence import Hold, take
from gp_pipelines.traffic.retire import retire


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What one cleanup of one service retired, in words."""

    service: str
    retired: tuple[str, ...]


def due(record: TrafficRecord, now: datetime) -> list[KeptSlot]:
    """Kept slots whose time has run out. None while the last switch is unconfirmed."""
    if not record.confirmed:
        return []
    return [
        kept
        for kept in record.kept
        if kept.state in (SlotState.WARM, SlotState.KEPT)
        and kept.deadline is not None
        and kept.deadline <= now
    ]


def cleanup(
    platform: Platform,
    holder: Holder,
    progress: Progress,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Cleaned:
    """Retire every slot of the service that is due. Raises `Busy`, `Refused` on drift."""
    reading = platform.target.traffic.read()
    if not due(reading.record, reading.now):
        progress(f"{platform.service.name}: nothing is due")
        return Cleaned(platform.service.name, ())
    hold = take(platform.target.traffic, holder, progress, clock=clock, sleep=sleep)
    try:
        with hold.step(platform.service.timeouts.drain * 4):
            return Cleaned(platform.service.name, tuple(retire_due(hold, platform, progress)))
    finally:
        hold.leave()


def retire_due(hold: Hold, platform: Platform, progress: Progress) -> list[str]:
    """Prove again that each due slot is unused, and retire it. Returns them in words."""
    reading = hold.read()
    retired = []
    for kept in due(reading.record, reading.now):
        why = "its retention ran out" if kept.state is SlotState.WARM else "it was kept long enough"
        drain = platform.service.timeouts.drain
        retire(hold, platform.target, kept.slot, drain, why, progress)
        progress(f"retired {kept.slot.describe()}: {why}")
        retired.append(kept.slot.describe())
    return retired
