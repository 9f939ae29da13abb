"""The contract phase: taking away what only older versions used, once nothing of them stands.

The live version brings these migrations; they are judged against itself, as those of a release are
against the version before. What a rollback would go back to may be closed by them: then it refuses.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from gp_pipelines import contractions
from gp_pipelines.databases.contract import Backup
from gp_pipelines.errors import ConfigInvalid, GpError, Refused, StepFailed
from gp_pipelines.migrating import apply as migrating
from gp_pipelines.migrating.apply import Asked, Migrated
from gp_pipelines.model import Artifact, Holder, Progress, Slot, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.traffic import events
from gp_pipelines.traffic.conclude import require_confirmed
from gp_pipelines.traffic.fence import Hold, take

OLDER = (SlotState.WARM, SlotState.RETIRING, SlotState.WAITING)
UNTOUCHED = "The database was not touched."


@dataclass(frozen=True, slots=True)
class Contracted:
    """What became of the contract phase of the version that is live."""

    live: Slot
    migrated: Migrated | None  # None: nothing was pending
    backup: Backup | None = None


def is_due(platform: Platform, record: TrafficRecord) -> bool:
    """Whether `cleanup` has to look at it by itself: once for each release that is live alone."""
    database = platform.service.database
    if database is None or database.contract is None or not database.contract.automatic:
        return False
    if record.live is None or record.holder or not record.confirmed or _older(record):
        return False
    return contractions.found(platform.target.ledger, record.live.release_id) is None


def contract(
    platform: Platform,
    holder: Holder,
    accepted: str,
    progress: Progress,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Contracted:
    """Back up, judge, apply, and smoke the live version on what is left.

    Raises `ConfigInvalid` for a service without such migrations, `Refused` while an older slot
    stands, `GateClosed` for findings that nobody has `accepted`, `Busy`, and `StepFailed`. What it
    waits for is kept on the target, for `gp status`.
    """
    if platform.database is None:
        raise ConfigInvalid(f"{platform.service.name} has no database.", state="Nothing was done.")
    contracting = replace(platform, database=platform.database.contracting())
    hold = take(platform.target.traffic, holder, progress, clock=clock, sleep=sleep)
    try:
        timeouts = platform.service.timeouts
        with hold.step(timeouts.backup + migrating.seconds(platform.service)):
            live = _require_alone(hold.read().record)
            try:
                done = _apply(contracting, hold, live, accepted, progress)
            except GpError as error:
                _leave(platform, hold, live, held=error.what.splitlines()[0])
                raise
            _leave(platform, hold, live)
            return done
    finally:
        hold.leave()


def _apply(
    platform: Platform, hold: Hold, live: Slot, accepted: str, progress: Progress
) -> Contracted:
    database, holder = platform.database, hold.holder
    assert database is not None
    artifact = _artifact(platform, live)
    telling = hold.telling(progress)
    pending = database.pending(artifact, telling)
    if not pending:
        progress(f"{live.describe()} brings nothing to contract")
        return Contracted(live, None)
    before = database.schema().name
    backup = database.backup(holder.run_id, telling, platform.service.timeouts.backup)
    if not backup.verified:
        raise StepFailed(f"Backup {backup.id} could not be verified.", state=UNTOUCHED)
    asked = Asked(platform, artifact, holder.run_id, holder.actor, accepted)
    migrated = migrating.migrate(asked, hold, pending, progress)
    _tell_history(platform, hold, live, before, migrated)
    return Contracted(live, migrated, backup)


def _require_alone(record: TrafficRecord) -> Slot:
    """The live slot. Raises `Refused` while an older version stands, or a release waits."""
    require_confirmed(record)
    if record.live is None:
        raise Refused(f"Nothing of {record.service} is live.", state=UNTOUCHED)
    older = _older(record)
    if older:
        raise Refused(
            f"{older.describe()} still stands beside {record.live.describe()}, and may need what "
            "would be taken away.",
            state=UNTOUCHED,
            advice=f"Wait until it is retired (`gp status {record.service}` says when).",
        )
    return record.live


def _older(record: TrafficRecord) -> Slot | None:
    return next((kept.slot for kept in record.kept if kept.state in OLDER), None)


def _artifact(platform: Platform, live: Slot) -> Artifact:
    artifact = platform.artifacts.stored(live.version)
    if artifact is None or artifact.digest != live.digest:
        raise Refused(
            f"The artifact of {live.describe()}, which brings the migrations, is not stored.",
            state=UNTOUCHED,
            advice=f"Release {live.version} again.",
        )
    return artifact


def _leave(platform: Platform, hold: Hold, live: Slot, held: str = "") -> None:
    at = hold.read().now.isoformat()
    seen = contractions.Contraction(live.version, hold.holder.run_id, at, held)
    contractions.note(platform.target.ledger, live.release_id, seen)


def _tell_history(
    platform: Platform, hold: Hold, live: Slot, before: str, migrated: Migrated
) -> None:
    now = hold.read().now
    facts = migrated.facts()
    events.write(
        platform.target.ledger,
        events.Event(
            key=events.key("contract", now, live.release_id),
            what="contract",
            at=now,
            before=f"schema {before}",
            after=f"schema {facts['applied'][-1] if facts['applied'] else before}",
            release_id=live.release_id,
            holder=hold.holder,
            facts=facts,
        ),
    )
