"""The steps of a restore after its confirmation, without Dagster.

Until the traffic is moved, all of it can be undone, and users read what they have always read.
"""

from dataclasses import dataclass, replace

from gp_pipelines.databases import proofs
from gp_pipelines.errors import Refused, StepFailed
from gp_pipelines.model import Progress, Slot
from gp_pipelines.platform import Platform
from gp_pipelines.restore.attempt import RestoreAttempt
from gp_pipelines.restore.choice import Choice, database_of
from gp_pipelines.restore.unfinished import end_restore
from gp_pipelines.restrictions import Restoring
from gp_pipelines.smoke.checks import CheckResult, run_checks
from gp_pipelines.traffic.bring_up import bring_up
from gp_pipelines.traffic.conclude import confirm
from gp_pipelines.traffic.restored import move_to_restored
from gp_pipelines.traffic.roll_back import verify_live
from gp_pipelines.traffic.verify import Verification


@dataclass(frozen=True, slots=True)
class Restored:
    """The new database is there; nobody works with it yet."""

    old_database: str
    new_database: str
    sessions_ended: int
    compared: str


@dataclass(frozen=True, slots=True)
class Repointed:
    """The service works with the restored data."""

    before: Slot
    after: Slot
    seen: Verification
    done: tuple[str, ...]


def restore(attempt: RestoreAttempt, choice: Choice) -> Restored:
    """Let nobody write to the old database any more; make the new one of the backup.

    Raises `StepFailed`, `FenceLost`.
    """
    timeout = attempt.platform.service.timeouts.restore
    with attempt.hold.step(timeout):
        begun = attempt.restoring()
        progress = attempt.hold.telling(attempt.progress)
        restorer = database_of(attempt.platform).restorer(attempt.run_id)
        ended = restorer.protect(begun.old_database, attempt.allowed, progress)
        compared = restorer.restore(
            choice.backup, begun.new_database, attempt.allowed, progress, timeout
        )
    return Restored(begun.old_database, begun.new_database, ended, compared)


def verify(attempt: RestoreAttempt, choice: Choice) -> tuple[CheckResult, ...]:
    """Bring the version up on the idle color with the restored data, and smoke its preview.

    Raises `StepFailed`, `Refused` where the version does not fit the data, `FenceLost`.
    """
    service, target = attempt.platform.service, attempt.platform.target
    timeouts = service.timeouts
    with attempt.hold.step(timeouts.migrate + timeouts.deploy + timeouts.smoke):
        begun = attempt.restoring()
        restored = _with_restored_data(attempt.platform, begun)
        launch = restored.recorded_launch(begun.slot)
        _require_fitting(restored, begun, choice, attempt.hold.telling(attempt.progress))
        bring_up(attempt.hold, target, service, begun.slot, launch, attempt.progress)
        results = run_checks(
            target.entrance.preview_url(begun.slot.color),
            service.smoke,
            begun.slot.version,
            service.timeouts.smoke,
            attempt.progress,
        )
        why = f"it passed its smoke checks with backup {begun.backup}, restored"
        schema = database_of(restored).schema()
        proofs.note(target.ledger, begun.slot, schema, True, why, attempt.hold.read().now)
    return results


def repoint(attempt: RestoreAttempt, choice: Choice) -> Repointed:
    """Send the traffic to the slot that works with the restored data, and retire all others.

    Raises `Refused`, `StepFailed` where it could not be moved, or not be verified: then it stays,
    and is verified again by the reconciler.
    """
    platform, hold, progress = attempt.platform, attempt.hold, attempt.progress
    service, target = platform.service, platform.target
    with hold.step(service.timeouts.switch * 2 + service.timeouts.drain * 4):
        begun = attempt.restoring()
        move_to_restored(hold, target, service, begun.slot, progress)
        done = end_restore(hold, platform, progress)
        seen = verify_live(hold, target, service)
        if not seen.passed:
            raise StepFailed(
                f"Traffic was sent to {begun.slot.describe()} with the restored data, and that "
                f"could not be verified: {seen.detail}.",
                state="It stays there: nothing goes back to the old data any more. It is verified "
                "again.",
                advice=f"Look at it now: `gp status {service.name}`, `gp logs {service.name}`.",
            )
        confirm(hold, target, f"backup {begun.backup} was restored: {begun.reason}")
        done += end_restore(hold, platform, progress)
    return Repointed(choice.live, begun.slot, seen, tuple(done))


def _with_restored_data(platform: Platform, begun: Restoring) -> Platform:
    return replace(platform, database=database_of(platform).at(begun.new_database))


def _require_fitting(
    restored: Platform, begun: Restoring, choice: Choice, progress: Progress
) -> None:
    """Migrations are never run by a restore: the version has to fit the schema that comes back."""
    stored = restored.artifacts.stored(begun.slot.version)
    database = database_of(restored)
    pending = database.pending(stored, progress) if stored is not None else None
    if pending:
        raise Refused(
            f"{begun.slot.version} does not fit backup {begun.backup}, which was made before its "
            f"migrations {', '.join(pending.versions)}.",
            state="Traffic is where it was.",
            advice=f"Ask again with `version` of a release that fits it; then release "
            f"{choice.live.version} again, which migrates.",
        )
