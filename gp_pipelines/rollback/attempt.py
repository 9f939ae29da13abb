"""One run's work on a rollback: its hold on the fence, and what the target remembers of it."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime

from gp_pipelines import rollbacks
from gp_pipelines.errors import Conflict, GpError, outcome_of
from gp_pipelines.model import Holder, Progress
from gp_pipelines.platform import Platform
from gp_pipelines.rollback.assessment import Already, Assessment, HeldBack, Way, assess, way_back
from gp_pipelines.rollback.request import RollbackRequest
from gp_pipelines.traffic.fence import Hold, take
from gp_pipelines.traffic.liveness import shows_life
from gp_pipelines.traffic.lost_record import restore_lost_record
from gp_pipelines.traffic.roll_back import adopting

TRIES = 5


class RollbackAttempt:
    """Takes the fence from whoever has it, and holds it to the run's end."""

    def __init__(
        self,
        platform: Platform,
        request: RollbackRequest,
        run_id: str,
        actor: str,
        progress: Progress,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.platform = platform
        self.request = request
        self.run_id = run_id
        self.actor = actor
        self.progress = progress
        self._clock = clock
        self._sleep = sleep
        self._hold: Hold | None = None
        self._undoes = ""

    @property
    def hold(self) -> Hold:
        if self._hold is None:
            raise RuntimeError("a step ran before the fence was taken")
        return self._hold

    @property
    def undoes(self) -> str:
        """The release; empty as long as nobody has looked which one is live."""
        return self._undoes or self.request.release_id

    @property
    def preempted(self) -> Holder | None:
        """From whom the fence was taken; that run can change nothing any more."""
        return self._hold.taken_from if self._hold else None

    def begin(self) -> Assessment | Already:
        """Decide, then take the fence, and prove that it is still so.

        Raises `Refused`, `ConfigInvalid`, `TargetUnavailable`; nothing was changed then.
        """
        traffic = self.platform.target.traffic
        stuck = traffic.end_stuck_writer()
        if stuck:
            self.progress(f"ended {stuck}")
        if restore_lost_record(self.platform.target) is not None:
            self.progress("the traffic record was lost, and was made again from its copy")
        for _ in range(TRIES):
            found = assess(self.platform, self.request)
            if isinstance(found, Already):
                return found
            working = self._living_rollback(found)
            if working is not None:
                return working
            self._take(found)
            agreed = self._agreed(found)
            if agreed is not None:
                self._note(agreed.release_id, self.hold.read().now)
                return agreed
            self.close()
        raise Conflict(
            f"What is live for {self.platform.service.name} keeps changing.",
            state="This run changed nothing.",
            advice=f"See `gp status {self.platform.service.name}`, and ask again.",
        )

    def failed(self, error: GpError) -> None:
        """Leave on the target how the run ended, for whoever tries again. Raises nothing.

        A person who is refused at once has the answer, and leaves nothing that could hold an alert
        back; nor does an alert that is only held back for now. Nor is anything left for a run that
        has taken over, or where this one has said it.
        """
        if isinstance(error, HeldBack) or (self._hold is None and not self.request.automatic):
            return
        ledger = self.platform.target.ledger
        with suppress(GpError):
            now = self.platform.target.traffic.read().now
            before = rollbacks.found(ledger, self.undoes)
            mine = before is not None and before.run_id == self.run_id
            if before is not None and (before.is_done or mine == (before.outcome is not None)):
                return
            if not mine:  # refused before anything was begun
                self._note(self.undoes, now)
            rollbacks.ended(ledger, self.undoes, outcome_of(error), now, error.what)

    def close(self) -> None:
        if self._hold is not None:
            self._hold.leave()
            self._hold = None

    def _living_rollback(self, found: Assessment) -> Already | None:
        """Two on the cold way would start two slots. On the warm way the second is as good."""
        target = self.platform.target
        record = target.traffic.read().record
        holder = record.holder
        if holder is None or holder.kind != "rollback" or self.request.now:
            return None
        if holder.release_id != found.release_id or holder.run_id == self.run_id:
            return None
        if found.way in (Way.WARM, Way.MOVED):
            return None
        if not shows_life(target.traffic, record, clock=self._clock, sleep=self._sleep):
            return None
        if target.traffic.read().record.holder != holder:
            return None  # it has ended, one way or the other: that is looked at under the fence
        why = f"{holder.describe()} is bringing {found.back_to.describe()} up for it."
        return Already(found.release_id, holder.run_id, why)

    def _take(self, found: Assessment) -> None:
        self._undoes = found.release_id
        holder = Holder(self.run_id, found.release_id, "rollback", self.actor, found.undone.number)
        automatic = self.request.automatic
        self._hold = take(
            self.platform.target.traffic,
            holder,
            self.progress,
            repair=adopting(
                found.release_id, self.platform.target, self.platform.service, automatic=automatic
            ),
            preempt=True,
            clock=self._clock,
            sleep=self._sleep,
        )

    def _agreed(self, found: Assessment) -> Assessment | None:
        """`found` as it is under the fence; None where the target has moved on in between."""
        record = self.hold.read().record
        if record.undone == found.release_id and record.live == found.back_to:
            return replace(found, way=Way.MOVED)
        if (record.live, record.previous) != (found.undone, found.back_to):
            return None
        return replace(found, way=way_back(self.platform.target, record))

    def _note(self, release_id: str, now: datetime) -> None:
        alert = self.request.alert
        rollbacks.began(
            self.platform.target.ledger,
            release_id,
            self.run_id,
            now,
            reason=self.request.reason,
            alert=asdict(alert) if alert else None,
        )
