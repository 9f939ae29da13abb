"""The first step: may this version be released now, and onto which color."""

from dataclasses import dataclass

from gp_pipelines import history, restrictions
from gp_pipelines.errors import Refused
from gp_pipelines.model import Artifact, Color, Plan, SlotState, TrafficRecord
from gp_pipelines.release.attempt import Attempt
from gp_pipelines.release.versions import is_older
from gp_pipelines.services import Service, check_version
from gp_pipelines.targets.contract import Reading
from gp_pipelines.traffic import transitions
from gp_pipelines.traffic.conclude import require_confirmed
from gp_pipelines.traffic.fence import require_no_edits

UNCHANGED = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """What a person asked for."""

    version: str
    redeploy: bool = False  # release what is live already
    allow_downgrade: bool = False  # release an older version than the live one
    manual: bool = False  # wait for `promote` before the switch
    replace_previous: bool = False  # take the slot that a rollback needs, though it bakes
    accept_findings: str = ""  # why the migrations are applied whatever the gate finds


def plan(attempt: Attempt, request: ReleaseRequest) -> Plan:
    """Take the fence and decide. Raises `ConfigInvalid`, `Refused`, `Busy`, `TargetUnavailable`."""
    platform, run = attempt.platform, attempt.run
    service = platform.service
    check_version(request.version)
    platform.target.require_up()
    if platform.database is not None:
        platform.database.require_up()
    require_no_edits(platform.target.traffic.read())
    hold = attempt.begin()
    record = hold.read().record
    _require_settled(record)
    _require_not_frozen(attempt)
    _require_not_released(run.release_id, record)
    _require_wanted(request, record)
    _require_baked(service, request, hold.read())
    color = record.live.color.other if record.live else Color.BLUE
    numbered = hold.write(lambda record, now: transitions.numbered(record)).record
    decided = Plan(
        service=service.name,
        release_id=run.release_id,
        number=numbered.releases,
        version=request.version,
        config_hash=service.config_hash,
        color=color,
        replicas=max(service.replicas, record.live.replicas if record.live else 0),
        live=record.live,
        manual=request.manual or service.promotion == "manual",
        redeploy=request.redeploy,
        actor=run.actor,
        accept_findings=request.accept_findings.strip(),
    )
    stored = platform.artifacts.stored(request.version)
    if stored is not None:
        require_new(decided, stored)
        require_unrestricted(attempt, decided, stored)
    history.began(platform.target.ledger, decided, run.run_id)
    return decided


def require_new(plan: Plan, artifact: Artifact) -> None:
    """Raise `Refused` if this very artifact and configuration are live, unless `redeploy`."""
    live = plan.live
    if live is None or plan.redeploy:
        return
    if (live.digest, live.config_hash) == (artifact.digest, plan.config_hash):
        raise Refused(
            f"{plan.version} is live already: {live.describe()} has the same artifact "
            f"({artifact.digest[:19]}…) and configuration.",
            state=UNCHANGED,
            advice="To bring the same version up again, ask with `redeploy: true` (--redeploy).",
        )


def require_unrestricted(attempt: Attempt, plan: Plan, artifact: Artifact) -> None:
    """Raise `Refused` while the service is frozen, or this very version is in quarantine."""
    _require_not_frozen(attempt)
    ledger = attempt.platform.target.ledger
    restrictions.require_not_quarantined(ledger, plan.service, artifact.digest, plan.config_hash)


def _require_not_frozen(attempt: Attempt) -> None:
    reading, platform = attempt.hold.read(), attempt.platform
    restrictions.require_not_restoring(platform.target.ledger, platform.service.name)
    limit = platform.service.alerts.max_automatic_rollbacks
    restrictions.require_not_frozen(platform.target.ledger, reading.record, limit, reading.now)


def _require_settled(record: TrafficRecord) -> None:
    require_confirmed(record)
    if record.waiting is not None:
        raise Refused(
            f"Release {record.waiting.describe()} of {record.service} waits to be promoted.",
            state=UNCHANGED,
            advice=f"First `gp promote {record.service}` or `gp reject {record.service}`.",
        )


def _require_not_released(release_id: str, record: TrafficRecord) -> None:
    """A release that is done keeps its id, and its evidence: it is not done a second time."""
    for slot in (record.live, record.previous):
        if slot is not None and slot.release_id == release_id:
            raise Refused(
                f"This release was done already: it is {slot.describe()}.",
                state=UNCHANGED,
                advice="Start a new release instead of executing this one again.",
            )


def _require_baked(service: Service, request: ReleaseRequest, reading: Reading) -> None:
    """Raise `Refused` while the last release bakes, and its old slot is warm for a rollback."""
    record = reading.record
    kept = record.kept_slot(record.previous.name) if record.previous else None
    if kept is None or kept.state is not SlotState.WARM or request.replace_previous:
        return
    assert record.switched_at is not None
    left = service.bake_seconds - (reading.now - record.switched_at).total_seconds()
    if left > 0:
        raise Refused(
            f"{record.service} still bakes: {kept.slot.describe()}, to which a rollback would go "
            f"back at once, is kept for {left:.0f} s more, and this release would take its color.",
            state=UNCHANGED,
            advice="Wait, or ask with `replace_previous: true` (--replace-previous): a rollback is "
            "slower then, until this release is live.",
        )


def _require_wanted(request: ReleaseRequest, record: TrafficRecord) -> None:
    live = record.live
    if live is None or request.allow_downgrade or not is_older(request.version, live.version):
        return
    raise Refused(
        f"{request.version} is older than {live.describe()}, which is live.",
        state=UNCHANGED,
        advice="To go back to an older version, ask with `allow_downgrade: true` "
        "(--allow-downgrade). Its migrations are not undone.",
    )
