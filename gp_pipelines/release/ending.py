"""What people are told when a release, or its promotion, has come to its end."""

from datetime import UTC, datetime
from typing import Any

from gp_pipelines import history
from gp_pipelines.errors import ConfigInvalid, GpError, Refused
from gp_pipelines.notifications.contract import Kind, Notification, Severity
from gp_pipelines.release.attempt import Attempt


def ending_of(attempt: Attempt, url: str | None) -> Notification | None:
    """From what the target remembers of the release. To be asked when the fence was let go.

    None where nothing was begun: whoever asked for what was refused at once has been told. Raises
    nothing that is expected. `url` is where the run is to be seen.
    """
    document = _remembered(attempt)
    outcome, failure = document.get("outcome"), attempt.failure
    if failure is None and not document:
        return None
    if isinstance(failure, Refused | ConfigInvalid) and outcome != "refused":
        return None
    # Where it ended without an expected error (an interrupt, a defect), the target has the reason.
    trouble = str(failure) if failure else str(document.get("reason", ""))
    kind, severity = _kind_of(attempt, outcome, trouble)
    service = attempt.platform.service.name
    return Notification(
        kind=kind,
        service=service,
        title=f"{service}: {_title(kind, document)}",
        what=trouble or _change(document),
        severity=severity,
        at=datetime.now(UTC),
        run_id=attempt.run.run_id,
        url=url,
        facts=_facts(document),
    )


def _kind_of(attempt: Attempt, outcome: str | None, trouble: str) -> tuple[Kind, Severity]:
    if outcome == "released":  # and stands, whatever came afterwards
        return Kind.RELEASE_SUCCEEDED, Severity.WARNING if trouble else Severity.INFO
    if outcome == "waiting" and not trouble:
        return Kind.RELEASE_WAITING, Severity.INFO
    return Kind.RELEASE_FAILED, Severity.WARNING if _settled(attempt) else Severity.CRITICAL


def _settled(attempt: Attempt) -> bool:
    """Whether the traffic is known to arrive where it was sent."""
    try:
        return attempt.platform.target.traffic.read().record.confirmed
    except GpError:
        return False


def _remembered(attempt: Attempt) -> dict[str, Any]:
    ledger = attempt.platform.target.ledger
    try:
        return ledger.get(history.KIND, attempt.run.release_id) or {}
    except GpError:
        return {}


def _title(kind: Kind, document: dict[str, Any]) -> str:
    if not document:
        return "a release has failed"
    release = f"{document['version']} (#{document['number']})"
    if kind is Kind.RELEASE_SUCCEEDED:
        return f"{release} is live"
    if kind is Kind.RELEASE_WAITING:
        return f"{release} is proved and waits to be promoted"
    if document["outcome"] == "waiting":
        return f"the promotion of {release} has failed; it still waits"
    return f"the release of {release} has failed"


def _change(document: dict[str, Any]) -> str:
    before = document["version_before"] or "nothing"
    return f"{before} → {document['version']} on {document['color']}"


def _facts(document: dict[str, Any]) -> dict[str, str]:
    if not document:
        return {}
    asked = {"version before": document["version_before"] or "nothing", "by": document["actor"]}
    switch = document.get("switch") or {}
    return asked | {name: f"{value}" for name, value in switch.items()}
