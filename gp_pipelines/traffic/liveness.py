"""Whether the holder of a fence still lives, judged by its renewals alone.

A holder renews every `RENEW_SECONDS`. One renewal seen proves life; silence proves death only
after `DEAD_AFTER_SECONDS` of *successful* reads: a target that cannot be read proves nothing.
Dagster's run status is never asked.
"""

import time
from collections.abc import Callable

from gp_pipelines.errors import Busy, TargetUnavailable
from gp_pipelines.model import Holder, TrafficRecord
from gp_pipelines.targets.contract import TrafficStore

RENEW_SECONDS = 2.0
DEAD_AFTER_SECONDS = 15.0
POLL_SECONDS = 0.25
# A read that took longer than this says nothing about the time before it.
LONGEST_GAP_SECONDS = 1.0


def shows_life(
    store: TrafficStore,
    record: TrafficRecord,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether the holder renews within the time in which a living one does, or lets go."""
    before = store.heartbeat()
    deadline = clock() + RENEW_SECONDS + 0.5
    while clock() < deadline:
        sleep(POLL_SECONDS)
        if store.heartbeat() != before or store.read().record.holder != record.holder:
            return True
    return False


def watch_until_dead(
    store: TrafficStore,
    record: TrafficRecord,
    progress: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return once the holder in `record` is proved dead, or has left, or lost the fence.

    Raises `Busy` at the first renewal.
    """
    holder = record.holder
    if holder is None:
        return
    seen = _renewals(store, holder, record.fence)
    quiet, last = 0.0, clock()
    told = False
    while quiet < DEAD_AFTER_SECONDS:
        sleep(POLL_SECONDS)
        try:
            now_seen = _renewals(store, holder, record.fence)
            current = store.read().record
        except TargetUnavailable:
            last = clock()
            continue
        if (current.fence, current.holder) != (record.fence, holder):
            return
        if now_seen != seen:
            raise Busy(
                f"{record.service} is busy: {holder.describe()} is at work.",
                state="Nothing was changed.",
                advice="Wait for it to end, or end it; then ask again.",
            )
        quiet += min(clock() - last, LONGEST_GAP_SECONDS)
        last = clock()
        if not told and quiet > RENEW_SECONDS + 1:
            told = True
            progress(
                f"{holder.describe()} holds {record.service} but shows no sign of life; "
                f"taking over after {DEAD_AFTER_SECONDS:.0f} s of silence"
            )


def _renewals(store: TrafficStore, holder: Holder, fence: int) -> int | None:
    beat = store.heartbeat()
    if beat is None or (beat.run_id, beat.fence) != (holder.run_id, fence):
        return None
    return beat.renewals
