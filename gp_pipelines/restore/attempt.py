"""One run's work on a restore: its hold on the fence, and how it ends when it does not succeed."""

import re
import time
from collections.abc import Callable
from contextlib import suppress

from gp_pipelines import restores, restrictions
from gp_pipelines.errors import ConfigInvalid, FenceLost, GpError, Refused
from gp_pipelines.model import Holder, Progress, short_id
from gp_pipelines.platform import Platform
from gp_pipelines.restore.choice import UNCHANGED, Choice, choose, database_of, require_settled
from gp_pipelines.restore.request import RestoreRequest
from gp_pipelines.restore.unfinished import end_restore
from gp_pipelines.restores import Restore
from gp_pipelines.restrictions import Restoring
from gp_pipelines.targets.contract import Reading
from gp_pipelines.traffic.bring_up import slot_again
from gp_pipelines.traffic.fence import Hold, take

Reconcile = Callable[[Hold, Platform, Progress], list[str]]

# PostgreSQL cuts longer names, and two of them may be the same then.
LONGEST_NAME = 63
_OF_A_RESTORE = re.compile(r"_restored_[0-9a-z]{1,8}$")


class RestoreAttempt:
    """Holds the fence from the confirmation to the run's end. Never takes it from a living run."""

    def __init__(
        self,
        platform: Platform,
        request: RestoreRequest,
        run_id: str,
        reconcile: Reconcile,
        progress: Progress,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.platform = platform
        self.request = request
        self.run_id = run_id
        self.progress = progress
        self.failure: GpError | None = None
        self._reconcile = reconcile
        self._clock = clock
        self._sleep = sleep
        self._hold: Hold | None = None

    @property
    def hold(self) -> Hold:
        if self._hold is None:
            raise RuntimeError("a step ran before the fence was taken")
        return self._hold

    @property
    def taken_from(self) -> Holder | None:
        """Whose dead run's fence this one took, if it was that."""
        return self._hold.taken_from if self._hold else None

    def begin(self, choice: Choice) -> Restoring:
        """Take the fence, prove that the choice still holds, and say that the service is restoring.

        Raises `ConfigInvalid` where the operator has not confirmed it, `Busy`, `Refused`,
        `StepFailed` for a damaged backup or too little room; nothing was changed then.
        """
        self._require_confirmed()
        platform, request = self.platform, self.request
        store, timeouts = platform.target.traffic, platform.service.timeouts
        holder = Holder(self.run_id, self.run_id, "restore", request.operator, choice.to_run.number)
        self._hold = take(store, holder, self.progress, clock=self._clock, sleep=self._sleep)
        with self._hold.step(timeouts.switch * 2 + timeouts.drain * 4):
            for done in self._reconcile(self._hold, platform, self.progress):
                self.progress(done)
        with self._hold.step(timeouts.restore):
            return self._begin(choice)

    def restoring(self) -> Restoring:
        """What this run began, read under its fence. Raises `FenceLost`."""
        self.hold.read()
        found = self._begun()
        if found is None:
            raise FenceLost(
                f"The restore of {self.platform.service.name} was ended by somebody else.",
                state="This run changed nothing since, and stops.",
            )
        return found

    def allowed(self) -> Reading:
        """Raise `FenceLost` unless this run may still change something."""
        return self.hold.read()

    def abandon(self, why: str) -> None:
        """Undo, or finish, what was begun. Raises nothing that is expected: what can't be ended
        now is left to the reconciler, and said.
        """
        hold = self._hold
        if hold is None:
            return
        try:
            if self._begun() is None:
                return
            drain = self.platform.service.timeouts.drain
            with hold.step(drain * 4):
                for done in end_restore(hold, self.platform, self.progress, why):
                    self.progress(done)
        except FenceLost as lost:
            self.progress(f"not ended by this run: {lost}")
        except GpError as error:
            self.progress(f"could not be ended now, the reconciler goes on with it: {error}")

    def last_words(self) -> dict[str, str]:
        """The last log lines of the slot with the restored data, by replica. Before it is gone."""
        with suppress(GpError):
            begun = self._begun()
            if begun is not None:
                return dict(self.platform.target.slots.logs(begun.slot.name))
        return {}

    def close(self) -> None:
        """Let the fence go; first end what an interrupt between two steps has left."""
        try:
            self.abandon("the run ended before the restore did")
        finally:
            if self._hold is not None:
                self._hold.leave()
                self._hold = None

    def _begun(self) -> Restoring | None:
        every = restrictions.all_restoring(self.platform.target.ledger)
        return next((each for each in every if each.run_id == self.run_id), None)

    def _require_confirmed(self) -> None:
        request, service = self.request, self.platform.service.name
        missing = [name for name in ("operator", "reason") if not getattr(request, name).strip()]
        if missing:
            raise ConfigInvalid(
                f"A restore needs its {' and '.join(missing)}: what was written since the backup "
                "is left out of the restored data.",
                state=UNCHANGED,
                advice="Say who asks for it, and why; both are recorded.",
            )
        if request.confirm != service:
            raise ConfigInvalid(
                f"A restore is confirmed by the service's name: {service}. "
                f"{request.confirm!r} was typed.",
                state=UNCHANGED,
                advice=f"Type {service} as `confirm`, if that is the service whose data are to be "
                "replaced.",
            )

    def _begin(self, choice: Choice) -> Restoring:
        platform, request = self.platform, self.request
        target, database = platform.target, database_of(platform)
        record = self.hold.read().record
        require_settled(record)
        again = choose(platform, request, [choice.listed], record)  # proved again under the fence
        if (again.live, again.to_run) != (choice.live, choice.to_run):
            raise Refused(
                f"{choice.service} has moved on since the backup was chosen: "
                f"{again.live.describe()} is live now.",
                state=UNCHANGED,
                advice="Start the restore again.",
            )
        restorer = database.restorer(self.run_id)
        restorer.require_possible(choice.backup, self.hold.telling(self.progress))
        old = database.name()
        now = self.hold.read().now
        begun = Restoring(
            by=request.operator,
            reason=request.reason,
            at=now,
            run_id=self.run_id,
            backup=choice.backup.id,
            old_database=old,
            new_database=_new_name(old, self.run_id),
            slot=slot_again(target, record, choice.to_run, choice.live.color.other),
        )
        restores.began(target.ledger, _remembered(begun))
        restrictions.begin_restoring(target.ledger, begun)
        return begun


def _new_name(old: str, run_id: str) -> str:
    """Beside `old`, of which it says that it was restored only once."""
    ending = f"_restored_{short_id(run_id)}"
    return _OF_A_RESTORE.sub("", old)[: LONGEST_NAME - len(ending)] + ending


def _remembered(begun: Restoring) -> Restore:
    return Restore(
        run_id=begun.run_id,
        backup=begun.backup,
        version=begun.slot.version,
        old_database=begun.old_database,
        new_database=begun.new_database,
        by=begun.by,
        reason=begun.reason,
        began_at=begun.at.isoformat(),
    )
