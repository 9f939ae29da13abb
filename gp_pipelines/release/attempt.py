"""One run's work on a release: its hold on the fence, and how it ends when it does not succeed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from gp_pipelines import history
from gp_pipelines.errors import FenceLost, GpError, Refused
from gp_pipelines.model import Holder, MovedBy, Plan, Progress, Slot, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.traffic import transitions
from gp_pipelines.traffic.conclude import require_confirmed
from gp_pipelines.traffic.fence import Hold, take
from gp_pipelines.traffic.retire import remove, retire
from gp_pipelines.traffic.switch import switch_back

Reconcile = Callable[[Hold, Platform, Progress], list[str]]


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which Dagster run this is. A re-executed run has the release id of its root run."""

    run_id: str
    release_id: str
    kind: str  # release | promote
    actor: str


class Attempt:
    """Holds the fence from the plan (or the first step of a re-executed run) to the run's end."""

    def __init__(
        self,
        platform: Platform,
        run: RunIdentity,
        reconcile: Reconcile,
        progress: Progress,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.platform = platform
        self.run = run
        self.reconcile = reconcile
        self.progress = progress
        self.failure: GpError | None = None  # the expected error that ended it
        self._clock = clock
        self._sleep = sleep
        self._hold: Hold | None = None
        self._settled = False

    @property
    def hold(self) -> Hold:
        if self._hold is None:
            raise RuntimeError("a step ran before the fence was taken")
        return self._hold

    @property
    def taken_from(self) -> Holder | None:
        """Whose dead run's fence this one took, if it was that."""
        return self._hold.taken_from if self._hold else None

    def begin(self, number: int = 0) -> Hold:
        """Take the fence, and end what a dead run left. Raises `Busy`, `Refused` on drift."""
        run = self.run
        holder = Holder(run.run_id, run.release_id, run.kind, run.actor, number)
        store, timeouts = self.platform.target.traffic, self.platform.service.timeouts
        self._hold = take(store, holder, self.progress, clock=self._clock, sleep=self._sleep)
        with self._hold.step(timeouts.switch * 2 + timeouts.drain * 4):
            for done in self.reconcile(self._hold, self.platform, self.progress):
                self.progress(done)
        return self._hold

    @contextmanager
    def step(self, plan: Plan, timeout: float, *, after_switch: bool = False) -> Iterator[Hold]:
        """The fence for one step: taken again if this run is a re-execution that begins here.

        Raises `Refused` unless the release is live just if the step comes `after_switch`.
        """
        if self._hold is None:
            self._resume(plan)
        with self.hold.step(timeout):
            _require_place(plan, self.hold.read().record, after_switch)
            yield self.hold

    def settle(self) -> None:
        """The release stands, or waits to be promoted: nothing is to be undone."""
        self._settled = True

    def abandon(self, why: str, outcome: str = "failed") -> None:
        """Undo what this release has not finished: switch back until confirmed, remove its slot.

        A release that stands, or waits to be promoted, is left as it is. Raises nothing that is
        expected: what can't be undone now is left to the reconciler, and said.
        """
        hold = self._hold
        if hold is None or self._settled:
            return
        self._settled = True
        try:
            stays = self._may_stay(hold.read().record)
            if stays is None:
                self._undo(hold, why)
            history.ended(self.platform.target.ledger, self.run.release_id, stays or outcome, why)
        except FenceLost as lost:
            self.progress(f"not undone by this run: {lost}")
        except GpError as error:
            self.progress(f"could not be undone now, the reconciler goes on with it: {error}")

    def last_words(self) -> dict[str, str]:
        """How each replica of this release is, and its last log lines, by its name.

        To be asked before the release is abandoned: its slot may be gone afterwards. Of a release
        that is live there is nothing to save. What cannot be read is left out.
        """
        slots = self.platform.target.slots
        said = {}
        with suppress(GpError):
            for own in self._own_slots(self.platform.target.traffic.read().record):
                logs = slots.logs(own.name)
                status = slots.get(own.name)
                for replica in status.replicas if status else ():
                    said[replica.name] = f"{replica.detail}\n{logs.get(replica.name, '')}".strip()
        return said

    def close(self) -> None:
        """Let the fence go; first abandon what was not settled (an interrupt between steps)."""
        try:
            self.abandon("the run ended before the release did")
        finally:
            if self._hold is not None:
                self._hold.leave()

    def _resume(self, plan: Plan) -> None:
        """Take the fence for a run that goes on where another one ended.

        Raises `Refused` if the target is no longer as that run left it.
        """
        self._require_same_target(plan)
        hold = self.begin(plan.number)
        record = hold.read().record
        self._require_same_target(plan)  # proved again under the fence
        require_confirmed(record)
        kept = record.kept_slot(plan.slot_name)
        if kept is not None and kept.state is SlotState.KEPT:  # no leftover any more
            hold.write(lambda record, now: transitions.forgotten(record, plan.slot_name))
        history.resumed(self.platform.target.ledger, plan.release_id, self.run.run_id)
        self.progress(f"going on with release #{plan.number} of {plan.version}")

    def _require_same_target(self, plan: Plan) -> None:
        record = self.platform.target.traffic.read().record
        live_id = record.live.release_id if record.live else None
        planned_on = plan.live.release_id if plan.live else None
        waiting = record.waiting
        if live_id not in (planned_on, plan.release_id):
            now = f"{record.live.describe() if record.live else 'nothing'} is live now"
        elif waiting is not None and waiting.release_id != plan.release_id:
            now = f"{waiting.describe()} waits to be promoted"
        elif record.undone == plan.release_id and record.moved_by is MovedBy.ROLLBACK:
            now = "the release was rolled back"
        else:
            return
        raise Refused(
            f"{plan.service} has moved on since release #{plan.number} was planned: {now}.",
            state="Nothing was changed.",
            advice="Start a new release.",
        )

    def _may_stay(self, record: TrafficRecord) -> str | None:
        """The outcome of a release that is live for good, or proved and waiting; else None."""
        own = self.run.release_id
        if record.waiting is not None and record.waiting.release_id == own:
            return "waiting"
        if record.live is None or record.live.release_id != own:
            return None
        stands = record.confirmed or record.moved_by is not MovedBy.RELEASE
        return "released" if stands else None

    def _undo(self, hold: Hold, why: str) -> None:
        live = hold.read().record.live
        if live is not None and live.release_id == self.run.release_id:
            switch_back(hold, self.platform.target, self.platform.service, why, self.progress)
        for slot in self._own_slots(hold.read().record):
            self._remove_or_keep(hold, slot)

    def _own_slots(self, record: TrafficRecord) -> list[Slot]:
        standing = [status.slot for status in self.platform.target.slots.list()]
        return [
            slot
            for slot in standing
            if slot.release_id == self.run.release_id and slot != record.live
        ]

    def _remove_or_keep(self, hold: Hold, slot: Slot) -> None:
        service, target = self.platform.service, self.platform.target
        drain = service.timeouts.drain
        kept = hold.read().record.kept_slot(slot.name)
        retiring = kept is not None and kept.state is SlotState.RETIRING
        if service.keep_failed_seconds > 0 and not retiring:
            seconds = service.keep_failed_seconds
            if kept is None:
                hold.write(lambda record, now: transitions.kept_failed(record, slot, now, seconds))
            self.progress(f"{slot.name} is kept for {seconds:g} s to be looked at")
            return
        if kept is not None:
            retire(hold, target, slot, drain, "the release failed", self.progress)
        else:
            remove(hold, target, slot, drain, self.progress)
        self.progress(f"{slot.name} was removed")


def _require_place(plan: Plan, record: TrafficRecord, after_switch: bool) -> None:
    live = record.live
    is_live = live is not None and live.release_id == plan.release_id
    if is_live and not after_switch:
        raise Refused(
            f"Release #{plan.number} of {plan.service} is live already.",
            state="Traffic is where it was.",
            advice="Nothing is left to be done but the cleanup, which runs by itself.",
        )
    if after_switch and not is_live:
        raise Refused(
            f"Release #{plan.number} of {plan.service} is not live.",
            state=f"Traffic is where it was: on {live.describe() if live else 'nothing'}.",
            advice=f"See `gp status {plan.service}`.",
        )
