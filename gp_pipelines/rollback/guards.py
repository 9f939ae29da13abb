"""Whether an alert rolls the live release back: decided from what the target says now.

The same rules wherever an alert is judged (the sensor, the webhook). The job asks the target once
more under the fence, so a race between two of them ends well; see `assessment.py`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gp_pipelines import restrictions, rollbacks
from gp_pipelines.alerts.contract import Alert
from gp_pipelines.model import MovedBy, Slot, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.restrictions import Restoring, Snooze
from gp_pipelines.rollbacks import Rollback
from gp_pipelines.services import Service

MOST_ATTEMPTS = 3  # of runs for one release; then a person has to see to it


@dataclass(frozen=True, slots=True)
class Situation:
    """What the target says of one service."""

    service: Service
    record: TrafficRecord
    now: datetime
    automatic_today: int
    snoozed: Snooze | None
    restoring: Restoring | None
    rollback: Rollback | None  # what was begun for the live release, if anything
    previous_quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """`launch` says yes; `why` is for people, also where it says no."""

    launch: bool
    why: str


def situation(platform: Platform) -> Situation:
    """Raises `TargetUnavailable`."""
    reading = platform.target.traffic.read()
    record, ledger = reading.record, platform.target.ledger
    old = record.previous
    return Situation(
        service=platform.service,
        record=record,
        now=reading.now,
        automatic_today=restrictions.automatic_today(ledger, record, reading.now),
        snoozed=restrictions.snoozed(ledger, reading.now),
        restoring=restrictions.restoring(ledger),
        rollback=rollbacks.found(ledger, record.live.release_id) if record.live else None,
        previous_quarantined=old is not None
        and restrictions.is_quarantined(ledger, old.digest, old.config_hash),
    )


def judge(alert: Alert, there: Situation) -> Verdict:
    """May `alert` undo what is live?"""
    why_not = _not_meant(alert, there) or _not_allowed(there) or _too_early(alert, there)
    if why_not:
        return Verdict(False, why_not)
    live = there.record.live
    assert live is not None
    return Verdict(True, f"{live.describe()} is live since before it began")


def _not_meant(alert: Alert, there: Situation) -> str:
    """Why the alert does not speak of what is live."""
    service, live = there.service, there.record.live
    if alert.resolved:
        return "it is resolved"
    if alert.labels.get("service") != service.name:
        return "it names another service"
    missing = [f"{k}={v}" for k, v in service.alerts.match.items() if alert.labels.get(k) != v]
    if missing:
        return f"it is not labelled {', '.join(missing)}"
    if live is None or there.record.switched_at is None:
        return "nothing is live"
    return _names_another(alert, live) or _began_too_early(alert, there, there.record.switched_at)


def _names_another(alert: Alert, live: Slot) -> str:
    release, color = alert.labels.get("release_id"), alert.labels.get("color")
    if release and release != live.release_id:
        return f"it names a release that is not live; {live.describe()} is"
    if color and color != live.color:
        return f"it names a color that is not live; {live.color} is"
    return ""


def _began_too_early(alert: Alert, there: Situation, switched_at: datetime) -> str:
    if alert.starts_at < switched_at:
        return "it began before the switch"
    names = alert.labels.get("release_id") or alert.labels.get("color")
    seconds = there.service.alerts.attribution_seconds
    if not names and alert.starts_at < switched_at + timedelta(seconds=seconds):
        return (
            f"it names neither release nor color, and began less than {seconds:g} s after the "
            "switch: what it saw may be the old version's"
        )
    return ""


def _not_allowed(there: Situation) -> str:
    """What holds every alert back."""
    record, alerts = there.record, there.service.alerts
    assert record.live is not None
    if there.restoring is not None:
        return there.restoring.describe()
    if record.previous is None:
        return "there is no previous version"
    if there.previous_quarantined:
        return f"{record.previous.describe()} is in quarantine itself"
    if record.moved_by is not MovedBy.RELEASE:
        return f"{record.live.describe()} was not put there by a release"
    if there.snoozed is not None:
        return f"alerts are snoozed until {there.snoozed.until:%H:%M} UTC by {there.snoozed.by}"
    if any(each.release_id == record.live.release_id for each in record.automatic):
        return "an alert has undone this release once, and a person brought it back"
    if there.automatic_today >= alerts.max_automatic_rollbacks:
        return f"{there.automatic_today} automatic rollbacks within a day are enough"
    return _begun_already(there.rollback)


def _begun_already(rollback: Rollback | None) -> str:
    if rollback is None:
        return ""
    if rollback.outcome is None:
        return f"run {rollback.run_id} is at it"
    if rollback.outcome == "refused":
        return f"it was refused: {rollback.error}"
    if rollback.attempts >= MOST_ATTEMPTS:
        return f"{rollback.attempts} runs have failed, the last one so: {rollback.error}"
    return ""


def _too_early(alert: Alert, there: Situation) -> str:
    # The target's clock may be behind that of whoever has seen it.
    known = max((there.now - alert.seen_at).total_seconds(), 0.0)
    wait = there.service.alerts.debounce_seconds - known
    return f"it is waited for {wait:.1f} s more, whether it stays" if wait > 0 else ""
