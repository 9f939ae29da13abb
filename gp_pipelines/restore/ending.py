"""What people are told when a restore has come to its end."""

from datetime import UTC, datetime

from gp_pipelines import restores
from gp_pipelines.errors import GpError
from gp_pipelines.notifications.contract import Kind, Notification, Severity
from gp_pipelines.restore.attempt import RestoreAttempt
from gp_pipelines.restores import Restore


def ending_of(attempt: RestoreAttempt, url: str | None) -> Notification | None:
    """From what the target remembers. To be asked when the fence was let go.

    None where nothing was begun: whoever asked for it was told. `url` is where the run is to be
    seen. Raises nothing that is expected.
    """
    try:
        restore = restores.found(attempt.platform.target.ledger, attempt.run_id)
    except GpError:
        return None  # the target cannot be read now; the run itself says how it ended
    if restore is None:
        return None
    service, done = attempt.platform.service.name, restore.outcome == "done"
    title = f"restored: {restore.version} works with backup {restore.backup}"
    return Notification(
        kind=Kind.RESTORE_SUCCEEDED if done else Kind.RESTORE_FAILED,
        service=service,
        title=f"{service}: {title}" if done else f"{service}: A RESTORE HAS FAILED",
        what=_what(attempt, restore, done),
        severity=Severity.WARNING if done else Severity.CRITICAL,
        at=datetime.now(UTC),
        run_id=attempt.run_id,
        url=url,
        facts={
            "by": restore.by,
            "reason": restore.reason,
            "backup": restore.backup,
            "database": restore.new_database if done else restore.old_database,
        },
    )


def _what(attempt: RestoreAttempt, restore: Restore, done: bool) -> str:
    if done:
        return (
            f"{restore.reason}\nThe data are in {restore.new_database} now. "
            f"{restore.old_database} is kept, and is read-only."
        )
    why = str(attempt.failure) if attempt.failure else restore.error
    service = attempt.platform.service.name
    return f"{why or 'Its run ended before it did.'}\nLook now: gp status {service}"
