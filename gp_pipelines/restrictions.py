"""What a person, or a rollback, has put upon a service, kept on its target.

*freeze*: no release; a rollback always may. *snooze*: alerts launch nothing until its end.
*quarantine*: this artifact with this configuration is not released again.
*restoring*: its data are being restored; no release, and alerts launch nothing, until that ends.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from gp_pipelines.errors import Refused
from gp_pipelines.model import Color, Slot, TrafficRecord
from gp_pipelines.targets.contract import Ledger

KIND = "restrictions"
QUARANTINE = "quarantine"
RESTORING = "restoring"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Freeze:
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Snooze:
    until: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Restoring:
    """A restore that was begun, with all that whoever ends it has to know."""

    by: str
    reason: str
    at: datetime
    run_id: str
    backup: str  # its id
    old_database: str  # read-only meanwhile
    new_database: str  # made beside it
    slot: Slot  # the one that is to work with the new database

    def describe(self) -> str:
        return f"{self.by} is restoring backup {self.backup} (run {self.run_id}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Of a version, which is an artifact with its configuration."""

    version: str
    digest: str
    config_hash: str
    by: str
    reason: str
    at: datetime

    def describe(self) -> str:
        return f"{self.version} ({self.digest[:19]}…, configuration {self.config_hash})"


def freeze(ledger: Ledger, by: str, reason: str, at: datetime) -> None:
    """Nothing is released until `unfreeze`."""
    ledger.put(KIND, "freeze", {"by": by, "reason": reason, "at": at.isoformat()})


def unfreeze(ledger: Ledger, by: str, reason: str, at: datetime) -> None:
    """Also starts the count of automatic rollbacks anew."""
    ledger.put(KIND, "unfrozen", {"by": by, "reason": reason, "at": at.isoformat()})
    ledger.delete(KIND, "freeze")


def automatic_today(ledger: Ledger, record: TrafficRecord, now: datetime) -> int:
    """How many releases alerts have undone within a day, and since a person last unfroze."""
    unfrozen = ledger.get(KIND, "unfrozen")
    since = now - DAY
    if unfrozen is not None:
        since = max(since, datetime.fromisoformat(unfrozen["at"]))
    return sum(since < rollback.at for rollback in record.automatic)


def frozen(ledger: Ledger, record: TrafficRecord, limit: int, now: datetime) -> Freeze | None:
    """The freeze that holds; also of itself, once `limit` automatic rollbacks were made in a day.

    `limit` 0 allows none, and freezes nothing.
    """
    document = ledger.get(KIND, "freeze")
    if document is not None:
        at = datetime.fromisoformat(document["at"])
        return Freeze(document["by"], document["reason"], at)
    if limit and automatic_today(ledger, record, now) >= limit:
        reason = f"{limit} automatic rollbacks within a day"
        return Freeze("gp_pipelines", reason, record.automatic[-1].at)
    return None


def stay_frozen(ledger: Ledger, record: TrafficRecord, limit: int, now: datetime) -> Freeze | None:
    """Write down the freeze that holds of itself: it ends with a person's word, not with the day.

    Before a rollback is confirmed, so that a killed one is not forgotten.
    """
    found = frozen(ledger, record, limit, now)
    if found is not None:
        freeze(ledger, found.by, found.reason, found.at)
    return found


def require_not_frozen(ledger: Ledger, record: TrafficRecord, limit: int, now: datetime) -> None:
    """Raise `Refused` while the service may not be released."""
    found = frozen(ledger, record, limit, now)
    if found is not None:
        raise Refused(
            f"{record.service} is frozen by {found.by} since {found.at:%Y-%m-%d %H:%M} UTC: "
            f"{found.reason}.",
            state="Nothing was changed.",
            advice=f"When that is over: `gp unfreeze {record.service} --reason …`.",
        )


def snooze(ledger: Ledger, until: datetime, by: str, reason: str) -> None:
    """Alerts launch nothing before `until`."""
    document = {"until": until.isoformat(), "by": by, "reason": reason}
    ledger.put(KIND, "snooze", document)


def watch(ledger: Ledger) -> None:
    """End a snooze."""
    ledger.delete(KIND, "snooze")


def snoozed(ledger: Ledger, now: datetime) -> Snooze | None:
    document = ledger.get(KIND, "snooze")
    if document is None or (until := datetime.fromisoformat(document["until"])) <= now:
        return None
    return Snooze(until, document["by"], document["reason"])


def begin_restoring(ledger: Ledger, found: Restoring) -> None:
    """Each run's own document: one that writes too late, without its fence, hides no other's."""
    ledger.put(RESTORING, found.run_id, {**asdict(found), "at": found.at.isoformat()})


def all_restoring(ledger: Ledger) -> list[Restoring]:
    """The newest first: a living one, and what dead runs have left of others."""
    found = [_restoring(document) for document in ledger.list(RESTORING).values()]
    return sorted(found, key=lambda each: each.at, reverse=True)


def restoring(ledger: Ledger) -> Restoring | None:
    return next(iter(all_restoring(ledger)), None)


def end_restoring(ledger: Ledger, run_id: str) -> None:
    """The restore is over, one way or the other."""
    ledger.delete(RESTORING, run_id)


def require_not_restoring(ledger: Ledger, service: str) -> None:
    """Raise `Refused` while the service's data are being restored."""
    found = restoring(ledger)
    if found is not None:
        raise Refused(
            f"{service} is being restored: {found.describe()}.",
            state="Nothing was changed.",
            advice=f"Wait until that has ended: `gp status {service}`.",
        )


def quarantine(ledger: Ledger, found: Quarantine) -> None:
    """It is not released again, under any release, until that is lifted."""
    document = {**asdict(found), "at": found.at.isoformat()}
    ledger.put(QUARANTINE, _key(found.digest, found.config_hash), document)


def is_quarantined(ledger: Ledger, digest: str, config_hash: str) -> bool:
    return ledger.get(QUARANTINE, _key(digest, config_hash)) is not None


def lift(ledger: Ledger, found: Quarantine) -> None:
    ledger.delete(QUARANTINE, _key(found.digest, found.config_hash))


def quarantines(ledger: Ledger) -> list[Quarantine]:
    """The newest first."""
    found = [_quarantine(document) for document in ledger.list(QUARANTINE).values()]
    return sorted(found, key=lambda each: each.at, reverse=True)


def require_not_quarantined(ledger: Ledger, service: str, digest: str, config_hash: str) -> None:
    """Raise `Refused` for an artifact that is in quarantine with this configuration."""
    document = ledger.get(QUARANTINE, _key(digest, config_hash))
    if document is None:
        return
    found = _quarantine(document)
    raise Refused(
        f"{found.describe()} of {service} is in quarantine since "
        f"{found.at:%Y-%m-%d %H:%M} UTC, by {found.by}: {found.reason}.",
        state="Nothing was changed.",
        advice="Release the fixed version: it may be released at once. If this one was not to "
        f"blame: `gp quarantine {service} {found.version} --lift --reason …`.",
    )


def _restoring(document: Mapping[str, Any]) -> Restoring:
    slot = Slot(**{**document["slot"], "color": Color(document["slot"]["color"])})
    at = datetime.fromisoformat(document["at"])
    return Restoring(**{**document, "at": at, "slot": slot})


def _key(digest: str, config_hash: str) -> str:
    return f"{digest.removeprefix('sha256:')[:32]}-{config_hash}"


def _quarantine(document: Mapping[str, Any]) -> Quarantine:
    return Quarantine(**{**document, "at": datetime.fromisoformat(document["at"])})
