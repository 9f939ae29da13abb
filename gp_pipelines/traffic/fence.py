"""The fence: who may change anything of a service, and the only way to write its record.

Taking it is a compare-and-swap that counts it up. A `Hold` compares fence and holder before each
change; once another run has taken the fence every further change fails with `FenceLost`, even if
this process wakes up minutes later.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from gp_pipelines.errors import Conflict, FenceLost, GpError, Refused
from gp_pipelines.model import Holder, TrafficRecord
from gp_pipelines.targets.contract import Reading, TrafficStore
from gp_pipelines.traffic import transitions
from gp_pipelines.traffic.heart import Heart
from gp_pipelines.traffic.liveness import watch_until_dead

Change = Callable[[TrafficRecord, datetime], TrafficRecord]
Repair = Callable[[TrafficRecord, Reading], TrafficRecord]  # the taken record, and what it was
ATTEMPTS = 5
# How long a holder may be between two steps: loading an input, writing an event to Dagster.
BETWEEN_STEPS_SECONDS = 60.0


def take(
    store: TrafficStore,
    holder: Holder,
    progress: Callable[[str], None],
    *,
    repair: Repair | None = None,
    preempt: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> "Hold":
    """Take the fence of a service, from a dead holder if need be.

    `repair` ends a drift: it is applied in the very write that takes the fence, so that no write
    in between moves traffic. Without it, a hand edit is `Refused`.
    `preempt` takes the fence from a living holder, too, and lets no later hand edit stop the hold:
    a rollback must wait for nobody.
    Raises `Busy` if the present holder lives, `TargetUnavailable` if the target cannot be read.
    """
    for _ in range(ATTEMPTS):
        reading = store.read()
        present = reading.record.holder
        if present is not None and present.run_id != holder.run_id and not preempt:
            watch_until_dead(store, reading.record, progress, clock=clock, sleep=sleep)
            if (current := store.read()).record.fence != reading.record.fence:
                continue
            reading = current
        record = transitions.taken(reading.record, holder)
        if repair is not None:
            record = repair(record, reading)
        elif not preempt:
            require_no_edits(reading)
        try:
            taken = _swap(store, record, reading)
        except Conflict:
            continue
        return Hold(
            store,
            holder,
            taken,
            taken_from=reading.record.holder,
            over_edits=preempt,
            clock=clock,
            sleep=sleep,
        )
    raise Refused(
        f"The fence of {reading.record.service} changes hands faster than it can be taken.",
        state="Nothing was changed.",
        advice="See `gp status` for who is at work, and ask again.",
    )


class Hold:
    """A fence that was taken. Shows a sign of life until it is let go, or its step is overdue.

    `taken_from` is who still had it then: dead, or preempted; None where it had been let go.
    `over_edits`: its writes replace what a person has changed by hand.

    `clock` (monotonic, for durations) and `sleep` are those of the whole run that holds it.
    """

    def __init__(
        self,
        store: TrafficStore,
        holder: Holder,
        reading: Reading,
        *,
        taken_from: Holder | None = None,
        over_edits: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store = store
        self.holder = holder
        self.fence = reading.record.fence
        self.taken_from = taken_from
        self._over_edits = over_edits
        self.clock = clock
        self.sleep = sleep
        self._alive_until = clock() + BETWEEN_STEPS_SECONDS
        store.renew(holder.run_id, self.fence)
        self._heart = Heart(self._beat)

    def read(self) -> Reading:
        """The record, proved to be still ours to change. Raises `FenceLost` if it is not."""
        reading = self.store.read()
        record = reading.record
        if (record.fence, record.holder) != (self.fence, self.holder):
            who = record.holder.describe() if record.holder else "nobody any more"
            raise FenceLost(
                f"{record.service} is no longer this run's to change: "
                f"the fence is at {record.fence} (this run's was {self.fence}), held by {who}.",
                state="This run changed nothing since, and stops.",
                advice=f"See `gp status {record.service}`; start again if it is still wanted.",
            )
        return reading

    def write(self, change: Change) -> Reading:
        """Apply `change` to the record by compare-and-swap.

        Raises `FenceLost`, `Refused` on a hand edit of the switched object, and `Conflict` when
        the object keeps changing.
        """
        for _ in range(ATTEMPTS):
            before = self.read()
            if not self._over_edits:
                require_no_edits(before)
            wanted = change(before.record, before.now)
            try:
                return _swap(self.store, wanted, before)
            except Conflict:
                # A write whose answer was lost has happened all the same.
                after = self.read()
                if after.record == replace(wanted, revision=before.record.revision + 1):
                    self.store.write_copy(after.record)
                    return after
        raise Conflict(
            f"The traffic record of {self.holder.kind} {self.holder.release_id} keeps changing.",
            state="Traffic is where it was.",
            advice="See `gp status` for drift, and try again.",
        )

    def telling(self, progress: Callable[[str], None]) -> Callable[[str], None]:
        """`progress` for a long work that changes something: it raises `FenceLost` soon after the
        fence is lost, so that what is under way (a migration, a backup) ends then.
        """

        def told(line: str) -> None:
            try:
                self.read()
            except FenceLost:
                raise
            except GpError:
                pass  # unreadable now; the next line asks again
            progress(line)

        return told

    @contextmanager
    def step(self, timeout: float) -> Iterator[None]:
        """Show a sign of life for `timeout` seconds: a step that hangs must look dead."""
        self._alive_until = self.clock() + timeout
        try:
            yield
        finally:
            self._alive_until = self.clock() + BETWEEN_STEPS_SECONDS

    def leave(self) -> None:
        """Let the fence go. Where that can't be done, its silence does it. Never raises."""
        self._heart.stop()
        try:
            self.write(lambda record, now: transitions.left(record))
        except GpError:
            return

    def _beat(self) -> bool:
        """Show a sign of life. False once the fence is another's."""
        if self.clock() > self._alive_until:
            return True
        try:
            self.read()  # one that lost the fence must not look alive
            self.store.renew(self.holder.run_id, self.fence)
        except FenceLost:
            return False
        except GpError:
            pass  # unreadable now; the next renewal may get through
        return True


def require_no_edits(reading: Reading) -> None:
    """Raise `Refused` if a person changed the switched object by hand."""
    if reading.edits:
        service = reading.record.service
        raise Refused(
            f"Drift: {service} was changed by hand. {' '.join(reading.edits)}",
            state="Traffic is left as it is, and nothing was changed.",
            advice=f"Decide with `gp repair {service} --to recorded|observed --reason …`.",
        )


def _swap(store: TrafficStore, record: TrafficRecord, over: Reading) -> Reading:
    """Write the object, then its copy: the copy knows of each fence and move before it counts."""
    written = store.write(replace(record, revision=over.record.revision + 1), over)
    store.write_copy(written.record)
    return written
