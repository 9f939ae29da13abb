"""What is live, what it can be undone to, and whether that may be: read, and nothing changed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gp_pipelines import history, restrictions, rollbacks
from gp_pipelines.databases import proofs
from gp_pipelines.databases.contract import Schema
from gp_pipelines.errors import ConfigInvalid, GpError, Refused
from gp_pipelines.model import MovedBy, Slot, SlotState, TrafficRecord
from gp_pipelines.platform import Platform
from gp_pipelines.rollback.request import RollbackRequest
from gp_pipelines.targets.contract import Ledger, Target

UNCHANGED = "Traffic is where it was, and nothing was changed."


class HeldBack(Refused):
    """An alert may not roll back now. The guards say the same before a run is launched, for as long
    as it is so: nothing of it is to last longer.
    """


class Way(StrEnum):
    """How far it is to the old version."""

    WARM = "warm"  # all its replicas are ready: a switch
    SHORT = "short"  # some of its replicas are not
    COLD = "cold"  # it has to be brought up again, in a new slot
    MOVED = "moved"  # an earlier run sent traffic there and died: it is to be verified


@dataclass(frozen=True, slots=True)
class Assessment:
    """A rollback that may be done."""

    service: str
    release_id: str  # that is undone
    undone: Slot
    back_to: Slot
    way: Way
    proved: bool  # the old version was proved to work with the present schema
    schema: str  # for people: what the database's schema is now; empty: there is no database
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Already:
    """Nothing is left to be done: the release is not live any more, or a living run is at it."""

    release_id: str
    run_id: str | None  # of the rollback that did it, or does it
    why: str


def assess(platform: Platform, request: RollbackRequest) -> Assessment | Already:
    """Raises `Refused`, `ConfigInvalid` for a release that never was, `TargetUnavailable`."""
    target, service = platform.target, platform.service
    reading = target.traffic.read()
    record = reading.record
    release_id = request.release_id or (record.live.release_id if record.live else "")
    if not release_id:
        raise Refused(
            f"Nothing of {service.name} is live: there is nothing to roll back.",
            state=UNCHANGED,
            advice=f"Release a version: `gp release {service.name} VERSION`.",
        )
    if _is_moved(record, release_id):
        undone = next(k.slot for k in record.kept if k.slot.release_id == release_id)
        assert record.live is not None
        schema = _schema(platform)
        name = schema_name(platform, schema)
        return Assessment(
            service.name, release_id, undone, record.live, Way.MOVED, True, name, reading.now
        )
    if record.live is None or record.live.release_id != release_id:
        return _not_live(record, target.ledger, release_id)
    if request.automatic:
        _require_allowed(platform, record, release_id, reading.now)
    old = _require_previous(record, target.ledger)
    schema = _schema(platform)
    return Assessment(
        service=service.name,
        release_id=release_id,
        undone=record.live,
        back_to=old,
        way=way_back(target, record),
        proved=_proved(platform, old, schema),
        schema=schema_name(platform, schema),
        decided_at=reading.now,
    )


def way_back(target: Target, record: TrafficRecord) -> Way:
    """`record` has a previous slot."""
    assert record.previous is not None
    kept = record.kept_slot(record.previous.name)
    status = target.slots.get(record.previous.name)
    behind = target.traffic.read_color(record.previous.color).slot_name
    if kept is None or kept.state is not SlotState.WARM or status is None:
        return Way.COLD
    whole = status.ready >= record.previous.replicas and behind == record.previous.name
    return Way.WARM if whole else Way.SHORT


def present_schema(platform: Platform) -> Schema | None:
    """None where there is no database, or it does not say."""
    return _schema(platform)


def schema_name(platform: Platform, schema: Schema | None) -> str:
    """For people: also where the database does not say; empty where there is none."""
    if platform.database is None:
        return ""
    return schema.name if schema else "unknown"


def schema_facts(schema: str, proved: bool, about: str) -> dict[str, str]:
    """What is known of the old version with the present schema, under the name `about`.

    Nothing where there is no database.
    """
    if not schema:
        return {}
    return {
        about: f"{'proved' if proved else 'unproved'} with the present schema",
        "schema": schema,
    }


def _is_moved(record: TrafficRecord, release_id: str) -> bool:
    by_rollback = record.moved_by is MovedBy.ROLLBACK and record.undone == release_id
    return by_rollback and not record.confirmed and record.live is not None


def _not_live(record: TrafficRecord, ledger: Ledger, release_id: str) -> Already:
    done = rollbacks.found(ledger, release_id)
    live = record.live.describe() if record.live else "nothing"
    if record.undone == release_id and record.mover is not None:
        why = f"It was undone by {record.mover.describe()}; {live} is live."
        return Already(release_id, record.mover.run_id, why)
    if done is not None and done.is_done:
        return Already(release_id, done.run_id, f"It was rolled back; {live} is live.")
    if not any(each["release_id"] == release_id for each in history.newest_first(ledger)):
        raise ConfigInvalid(
            f"{record.service} has no release {release_id!r}.",
            state=UNCHANGED,
            advice=f"`gp status {record.service} --json` has the ids.",
        )
    return Already(release_id, None, f"It is not live (any more): {live} is.")


def _require_previous(record: TrafficRecord, ledger: Ledger) -> Slot:
    if record.previous is not None:
        return record.previous
    live = record.live.describe() if record.live else "nothing"
    undone = ""
    if record.undone is not None:
        numbers = {each["release_id"]: each["number"] for each in history.newest_first(ledger)}
        undone = f" since #{numbers.get(record.undone, '?')} was undone"
    raise Refused(
        f"There is no previous version of {record.service}: {live} is live{undone}.",
        state=UNCHANGED,
        advice=f"Release a fixed version, or an older one: "
        f"`gp release {record.service} VERSION --allow-downgrade`.",
    )


def _require_allowed(
    platform: Platform, record: TrafficRecord, release_id: str, now: datetime
) -> None:
    """What holds alerts back, asked once more where it counts: on the target."""
    service, ledger = platform.service, platform.target.ledger
    restrictions.require_not_restoring(ledger, service.name)
    limit = service.alerts.max_automatic_rollbacks
    snoozed = restrictions.snoozed(ledger, now)
    if snoozed is not None:
        raise HeldBack(
            f"{service.name} is snoozed until {snoozed.until:%H:%M} UTC by {snoozed.by}.",
            state=UNCHANGED,
            advice=f"`gp watch {service.name}` ends that; `gp rollback {service.name}` works now.",
        )
    old = record.previous
    if old is not None and restrictions.is_quarantined(ledger, old.digest, old.config_hash):
        raise HeldBack(
            f"{old.describe()}, to which an alert would go back, is in quarantine itself.",
            state=UNCHANGED,
            advice=f"Decide yourself: `gp rollback {service.name} --reason …`.",
        )
    if any(each.release_id == release_id for each in record.automatic):
        raise HeldBack(
            f"An alert has undone release {release_id} once, and somebody brought it back.",
            state=UNCHANGED,
            advice=f"Decide yourself: `gp rollback {service.name} --reason …`.",
        )
    made = restrictions.automatic_today(ledger, record, now)
    if made >= limit:
        raise HeldBack(
            f"{made} automatic rollbacks of {service.name} within a day are enough (the limit is "
            f"{limit}): something else may be wrong.",
            state=UNCHANGED,
            advice=f"Decide yourself: `gp rollback {service.name} --reason …`; "
            f"`gp unfreeze {service.name} --reason …` lets alerts act again.",
        )


def _schema(platform: Platform) -> Schema | None:
    try:
        return platform.database.schema() if platform.database is not None else None
    except GpError:
        return None  # unproved, then


def _proved(platform: Platform, old: Slot, schema: Schema | None) -> bool:
    """Raises `Refused` where the old version was proved not to work with the present schema."""
    if platform.database is None:
        return True
    if schema is None:
        return False
    ledger = platform.target.ledger
    works = proofs.works(ledger, old, schema)
    if works is False:
        raise Refused(
            f"{old.describe()} does not work with the present schema ({schema.name}): "
            f"{proofs.reason(ledger, old, schema)}",
            state=UNCHANGED,
            advice="Release a fixed version. Going back would take users from a bad version to "
            "one that cannot work; the runbook says how data is restored.",
        )
    return works is True
