"""Which backup, and which version is to work with it: read, and nothing changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gp_pipelines import history, restrictions
from gp_pipelines.databases.contract import Backup, Database
from gp_pipelines.errors import GpError, Refused
from gp_pipelines.model import Slot, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.restore.request import RestoreRequest
from gp_pipelines.traffic.conclude import require_confirmed

UNCHANGED = "Nothing was changed."
WAS_LIVE = ("released", "rolled_back")  # outcomes of releases


@dataclass(frozen=True, slots=True)
class Listed:
    """A backup, and what would be lost by going back to it."""

    backup: Backup
    age_seconds: float
    written_since: int | None  # rows; None: unknown


@dataclass(frozen=True, slots=True)
class Choice:
    """A restore that may be done."""

    service: str
    listed: Listed
    live: Slot
    to_run: Slot  # the version that is to work with the restored data, as it ran once

    @property
    def backup(self) -> Backup:
        return self.listed.backup


def list_backups(platform: Platform, now: datetime) -> tuple[Listed, ...]:
    """The newest first. Raises `Refused` for a service without a database."""
    database = database_of(platform)
    return tuple(
        Listed(backup, (now - backup.at).total_seconds(), _written_since(database, backup))
        for backup in database.backups()
    )


def choose(
    platform: Platform, request: RestoreRequest, listed: Sequence[Listed], record: TrafficRecord
) -> Choice:
    """Raises `Refused` for a backup or a version that can't be meant, `TargetUnavailable`."""
    live = record.live
    if live is None:
        raise Refused(
            f"Nothing of {record.service} is live: nothing would work with what is restored.",
            state=UNCHANGED,
            advice=f"Release a version first: `gp release {record.service} VERSION`.",
        )
    chosen = _backup(record.service, request.backup, listed)
    return Choice(record.service, chosen, live, _to_run(platform, live, request.version))


def require_settled(record: TrafficRecord) -> None:
    """Raise `Refused` while the last move is unconfirmed, or a release waits.

    To be asked under the fence, once what dead runs left is ended.
    """
    require_confirmed(record)
    if record.waiting is not None:
        raise Refused(
            f"{record.waiting.describe()} of {record.service} waits to be promoted: it was proved "
            "with the present data.",
            state=UNCHANGED,
            advice=f"First `gp reject {record.service}` (or promote it).",
        )


def database_of(platform: Platform) -> Database:
    """Raises `Refused`."""
    if platform.database is None:
        raise Refused(f"{platform.service.name} has no database in services.yaml.", state=UNCHANGED)
    return platform.database


def in_words(each: Listed) -> str:
    """As a person chooses by it."""
    backup = each.backup
    lost = "an unknown number of" if each.written_since is None else f"{each.written_since:,}"
    hours, seconds = divmod(round(each.age_seconds), 3600)
    return (
        f"{backup.id}: {hours} h {seconds // 60} min old, {backup.size / 1e6:,.1f} MB, "
        f"{sum(backup.rows.values()):,} rows, {'verified' if backup.verified else 'NOT VERIFIED'}; "
        f"{lost} rows were written since"
    )


def _backup(service: str, wanted: str, listed: Sequence[Listed]) -> Listed:
    there = "\n".join(f"  {in_words(each)}" for each in listed) or "  none"
    if not wanted:
        raise Refused(
            f"Which backup of {service}? There are:\n{there}",
            state=UNCHANGED,
            advice=f"Give its id. `gp backups {service}` lists them, too.",
        )
    found = next((each for each in listed if each.backup.id == wanted), None)
    if found is None:
        raise Refused(
            f"{service} has no whole backup {wanted!r}. There are:\n{there}", state=UNCHANGED
        )
    if not found.backup.verified:
        raise Refused(
            f"Backup {wanted} of {service} was never verified: nobody knows what it holds.",
            state=UNCHANGED,
            advice="Choose a verified one.",
        )
    return found


def _to_run(platform: Platform, live: Slot, version: str) -> Slot:
    """The live version, or the last release of another one that has been live."""
    if version in ("", live.version):
        platform.recorded_launch(live)  # known, and its artifact is stored
        return live
    ledger, service = platform.target.ledger, platform.service.name
    for document in history.newest_first(ledger):
        if document["version"] == version and document["outcome"] in WAS_LIVE:
            slot = replace(
                live,
                release_id=document["release_id"],
                number=document["number"],
                version=version,
                digest=document["digest"],
                config_hash=document["config_hash"],
            )
            restrictions.require_not_quarantined(ledger, service, slot.digest, slot.config_hash)
            platform.recorded_launch(slot)
            return slot
    raise Refused(
        f"{version} of {service} has never been live, as far as is remembered.",
        state=UNCHANGED,
        advice=f"Choose a version that was: `gp status {service}` has the last ones.",
    )


def _written_since(database: Database, backup: Backup) -> int | None:
    try:
        return database.written_since(backup)
    except GpError:
        return None  # the database may be what is destroyed
