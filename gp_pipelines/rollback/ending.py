"""What people are told when a rollback has come to its end."""

from datetime import UTC, datetime

from gp_pipelines import restrictions, rollbacks
from gp_pipelines.errors import GpError
from gp_pipelines.model import Slot
from gp_pipelines.notifications.contract import Kind, Notification, Severity
from gp_pipelines.rollback.attempt import RollbackAttempt
from gp_pipelines.rollbacks import Rollback


def endings_of(attempt: RollbackAttempt, url: str | None) -> list[Notification]:
    """From what the target remembers. To be asked when the fence was let go.

    Empty where this run has neither done nor refused anything. `url` is where it is to be seen.
    Raises nothing that is expected.
    """
    try:
        return _endings(attempt, url)
    except GpError:
        return []  # the target cannot be read now; the run itself says how it ended


def _endings(attempt: RollbackAttempt, url: str | None) -> list[Notification]:
    release_id = attempt.undoes
    target = attempt.platform.target
    rollback = rollbacks.found(target.ledger, release_id) if release_id else None
    if rollback is None or rollback.run_id != attempt.run_id:
        return []  # another run has taken over, and tells of it
    reading = target.traffic.read()
    told = [_ended(attempt, rollback, reading.record.live, url)]
    limit = attempt.platform.service.alerts.max_automatic_rollbacks
    freeze = restrictions.frozen(target.ledger, reading.record, limit, reading.now)
    if freeze is not None and attempt.request.automatic and rollback.outcome == "done":
        service = attempt.platform.service.name
        told.append(
            Notification(
                kind=Kind.FROZEN,
                service=service,
                title=f"{service} is frozen: {freeze.reason}",
                what="Nothing is released, and alerts launch nothing. Rollbacks by hand work.\n"
                f"When it is over: gp unfreeze {service} --reason …",
                severity=Severity.CRITICAL,
                at=datetime.now(UTC),
            )
        )
    return told


def _ended(
    attempt: RollbackAttempt, rollback: Rollback, live: Slot | None, url: str | None
) -> Notification:
    service = attempt.platform.service.name
    done = rollback.outcome == "done"
    is_live = f"{live.describe()} is live" if live else "nothing is live"
    title = f"rolled back: {is_live}" if done else f"A ROLLBACK HAS FAILED: {is_live}"
    return Notification(
        kind=Kind.ROLLBACK_SUCCEEDED if done else Kind.ROLLBACK_FAILED,
        service=service,
        title=f"{service}: {title}",
        what=_what(rollback, done, service),
        severity=Severity.WARNING if done else Severity.CRITICAL,
        at=datetime.now(UTC),
        run_id=attempt.run_id,
        url=url,
        facts=_facts(rollback),
    )


def _what(rollback: Rollback, done: bool, service: str) -> str:
    why = rollback.reason or "no reason was given"
    if done:
        return f"{why}\nWhat was undone is in quarantine; its fix may be released at once."
    if rollback.outcome == "unverified":
        return f"{why}\nTraffic was sent back, and nobody could verify it: {rollback.error}"
    tried = f" It was tried {rollback.attempts} times." if rollback.attempts > 1 else ""
    return f"{rollback.error}{tried}\nLook now: gp status {service}"


def _facts(rollback: Rollback) -> dict[str, str]:
    alert = rollback.alert
    asked = {"alert": f"{alert['name']} ({alert['feed']})"} if alert else {}
    started = {"alert since": alert["starts_at"]} if alert else {}
    return {**asked, **started, **rollback.timeline, "release undone": rollback.release_id}
