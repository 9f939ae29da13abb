"""The steps of a rollback after its assessment, without Dagster. Each may be killed and run again.

Traffic moves first; whatever else must follow, follows. Nothing here looks at the version that is
undone, but to keep its logs.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gp_pipelines import restrictions, rollbacks
from gp_pipelines.databases import proofs
from gp_pipelines.errors import ConfigInvalid, Refused, StepFailed
from gp_pipelines.model import Slot, SlotState
from gp_pipelines.rollback.assessment import (
    Assessment,
    Way,
    present_schema,
    schema_facts,
    schema_name,
)
from gp_pipelines.rollback.attempt import RollbackAttempt
from gp_pipelines.smoke.checks import run_checks
from gp_pipelines.targets.contract import SlotStatus
from gp_pipelines.traffic import colors, events, transitions
from gp_pipelines.traffic.bring_up import bring_up, slot_again, wait_for_preview
from gp_pipelines.traffic.conclude import condemn, confirm, leave_event
from gp_pipelines.traffic.roll_back import roll_back, verify_live
from gp_pipelines.traffic.verify import Verification


@dataclass(frozen=True, slots=True)
class RolledBack:
    """Traffic is on the old version. `verified` says whether users were seen to reach it."""

    before: Slot
    after: Slot
    moved_at: datetime
    seen: Verification

    @property
    def verified(self) -> bool:
        return self.seen.passed

    def timeline(self) -> dict[str, str]:
        """ISO 8601 times, by what happened then."""
        first = self.seen.first_ms
        times = {"moved": self.moved_at}
        if first is not None:
            times["first_old_answer"] = self.moved_at + timedelta(milliseconds=first)
        if self.verified:
            times["verified"] = self.moved_at + timedelta(seconds=self.seen.seconds)
        return {name: at.isoformat() for name, at in times.items()}


def restore_previous(attempt: RollbackAttempt, found: Assessment) -> SlotStatus | None:
    """Bring the old version up as far as it is not, and prove it if nobody has.

    None where it was warm and proved. Raises `StepFailed`, `Refused` (an alert asked, and the old
    version fails its checks against the present database), `ConfigInvalid`, `FenceLost`.
    """
    timeouts = attempt.platform.service.timeouts
    if found.way is Way.MOVED or (found.way is Way.WARM and found.proved):
        return None
    with attempt.hold.step(timeouts.deploy + timeouts.smoke):
        slot = found.back_to
        if found.way is Way.COLD:
            slot = _reserve(attempt, found.back_to)
        if found.way is not Way.WARM:
            _bring_up(attempt, slot)
        if not found.proved:
            _prove(attempt, slot)
        return attempt.platform.target.slots.get(slot.name)


def switch_back(attempt: RollbackAttempt, found: Assessment) -> RolledBack:
    """Send traffic to the old version, if it is not there, and verify it; never back again."""
    platform, hold = attempt.platform, attempt.hold
    service, target = platform.service, platform.target
    with hold.step(service.timeouts.switch * 2):
        if found.way is not Way.MOVED:
            automatic = attempt.request.automatic
            roll_back(hold, target, service, automatic=automatic, progress=attempt.progress)
        record = hold.read().record
        assert record.live is not None
        assert record.switched_at is not None
        seen = verify_live(hold, target, service)
        done = RolledBack(found.undone, record.live, record.switched_at, seen)
        rollbacks.moved(target.ledger, found.release_id, done.timeline())
    return done


def quarantine(attempt: RollbackAttempt, found: Assessment, done: RolledBack) -> None:
    """What was undone may not be released again; then the move is confirmed, if it was verified.

    After too many automatic rollbacks the service is frozen, too.
    """
    platform, hold = attempt.platform, attempt.hold
    ledger, alerts = platform.target.ledger, platform.service.alerts
    with hold.step(platform.service.timeouts.switch):
        reason = attempt.request.reason
        condemn(hold, platform.target, reason)
        reading = hold.read()
        key = leave_event(hold, platform.target, reading.record, reason)
        events.add_facts(ledger, key, facts(attempt, found, done))
        frozen = restrictions.stay_frozen(
            ledger, reading.record, alerts.max_automatic_rollbacks, reading.now
        )
        if frozen is not None:
            attempt.progress(f"{found.service} is frozen: {frozen.reason}")
        if done.verified:
            confirm(hold, platform.target, reason)


def conclude(attempt: RollbackAttempt, found: Assessment, done: RolledBack) -> None:
    """Leave on the target how it ended. Raises `StepFailed` where traffic could not be verified."""
    ledger, now = attempt.platform.target.ledger, attempt.hold.read().now
    outcome = "done" if done.verified else "unverified"
    rollbacks.ended(ledger, found.release_id, outcome, now, done.seen.detail)
    if not done.verified:
        raise StepFailed(
            f"Traffic was sent back to {done.after.describe()}, and that could not be verified: "
            f"{done.seen.detail}.",
            state="It stays there: a rollback is never switched back. It is verified again.",
            advice=f"Look at it now: `gp status {found.service}`, `gp logs {found.service}`.",
        )


def facts(attempt: RollbackAttempt, found: Assessment, done: RolledBack) -> dict[str, Any]:
    """What a person would ask about a rollback, for its event."""
    alert = attempt.request.alert
    schema = schema_name(attempt.platform, present_schema(attempt.platform))
    return {
        "way": found.way.value,
        **schema_facts(schema, found.proved, "old version"),
        "first old answer (ms)": round(done.seen.first_ms or 0.0, 1),
        "verified (ms)": round(done.seen.seconds * 1000, 1) if done.verified else "not verified",
        **({"alert": f"{alert.name} ({alert.feed}) since {alert.starts_at}"} if alert else {}),
        **({"preempted": attempt.preempted.describe()} if attempt.preempted else {}),
    }


def _reserve(attempt: RollbackAttempt, old: Slot) -> Slot:
    """A new slot for the old version, kept in the record so that a retry carries on with it."""
    hold, target = attempt.hold, attempt.platform.target
    record = hold.read().record
    kept = record.kept_slot(old.name)
    if kept is not None and kept.state is SlotState.WARM:
        return old  # reserved by a run that was killed before it had started it
    assert record.live is not None
    slot = slot_again(target, record, old, record.live.color.other)
    seconds = attempt.platform.service.retention_seconds
    hold.write(lambda record, now: transitions.restoring(record, slot, now, seconds))
    attempt.progress(f"{old.describe()} is cold: bringing it up again takes longer")
    return slot


def _bring_up(attempt: RollbackAttempt, slot: Slot) -> SlotStatus:
    """Start what of the slot does not run, by its recorded launch. Raises `StepFailed`, `Refused`.

    Where it does not all come up, or cannot be started, but some of it is ready, that is better
    than the bad version.
    """
    platform = attempt.platform
    try:
        launch = platform.recorded_launch(slot)
        return bring_up(
            attempt.hold, platform.target, platform.service, slot, launch, attempt.progress
        )
    except (StepFailed, Refused, ConfigInvalid) as failure:
        status = platform.target.slots.get(slot.name)
        if status is None or status.ready == 0:
            raise
        attempt.progress(f"going on with {status.ready}/{status.wanted} replicas: {failure.what}")
        return status


def _prove(attempt: RollbackAttempt, slot: Slot) -> None:
    """Smoke the old version against the live database; note it if it passes."""
    platform, hold = attempt.platform, attempt.hold
    service, target = platform.service, platform.target
    attempt.progress(f"nobody has proved {slot.describe()} with the present schema: smoking it")
    colors.point(hold, target.traffic, slot.color, slot)
    try:
        wait_for_preview(hold, target, service.identity.path, slot)
        run_checks(
            target.entrance.preview_url(slot.color),
            service.smoke,
            slot.version,
            service.timeouts.smoke,
            attempt.progress,
        )
    except StepFailed as failure:
        if attempt.request.automatic:
            raise Refused(
                f"{slot.describe()}, to which an alert would go back, fails now: {failure.what}",
                state="Traffic is where it was.",
                advice="Nobody has proved it with the present schema. Release a fixed version, or "
                f"decide yourself: `gp rollback {service.name} --reason …`.",
            ) from failure
        attempt.progress(f"it FAILS its checks, and a person insists: {failure.what}")
        return
    schema = present_schema(platform)
    if schema is not None:
        why = "it passed its smoke checks before a rollback to it"
        proofs.note(target.ledger, slot, schema, True, why, hold.read().now)
