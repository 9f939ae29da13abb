"""Going back to the version before, from a release that was good once, or is not proved yet.

The same stamp, compare-and-swap and verification as the switch. Never undone itself: what cannot
be verified is verified again (by the reconciler, too), and reported.
"""

from gp_pipelines.errors import Refused
from gp_pipelines.model import Progress, Slot, SlotState, TrafficRecord
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Reading, Target
from gp_pipelines.traffic import colors, transitions
from gp_pipelines.traffic.conclude import leave_event
from gp_pipelines.traffic.fence import Change, Hold, Repair
from gp_pipelines.traffic.verify import Verification, verify


def roll_back(
    hold: Hold, target: Target, service: Service, *, automatic: bool, progress: Progress
) -> None:
    """Send traffic to `previous`. Looks at the old slot alone, never at the one that is undone.

    Raises `Refused` where the old slot may not take traffic, or has no ready replica; `FenceLost`.
    """
    record = hold.read().record
    old = _require_old_slot(target, record)
    colors.point(hold, target.traffic, old.color, old)
    hold.write(_change(service, automatic))
    progress(f"traffic was sent to {old.describe()}")
    if not record.confirmed:
        leave_event(hold, target, record)  # the release that is undone had not come to that


def adopting(release_id: str, target: Target, service: Service, *, automatic: bool) -> Repair:
    """Where a person has sent traffic to the old color by hand, the write that takes the fence says
    so. Else that write would send it back to the bad version, until it is moved again.

    Not where the old slot does not serve there: the bad version is better than nothing then.
    """

    def adopt(record: TrafficRecord, before: Reading) -> TrafficRecord:
        live, old = record.live, record.previous
        is_undone = live is not None and live.release_id == release_id
        by_hand = old is not None and bool(before.edits) and before.observed is old.color
        if is_undone and by_hand and _serves(target, record):
            return _change(service, automatic)(record, before.now)
        return record

    return adopt


def _serves(target: Target, record: TrafficRecord) -> bool:
    try:
        old = _require_old_slot(target, record)
    except Refused:
        return False
    return target.traffic.read_color(old.color).slot_name == old.name


def verify_live(hold: Hold, target: Target, service: Service) -> Verification:
    """Whether users reach what the record says, within the service's time for a switch."""
    return verify(
        target,
        hold.read().record,
        service.identity.path,
        service.timeouts.switch,
        clock=hold.clock,
        sleep=hold.sleep,
    )


def _change(service: Service, automatic: bool) -> Change:
    return lambda record, now: transitions.rolled_back(
        record,
        now,
        automatic=automatic,
        confirm_seconds=service.confirm_seconds,
        keep_failed_seconds=service.keep_failed_seconds,
    )


def _require_old_slot(target: Target, record: TrafficRecord) -> Slot:
    old = record.previous
    kept = record.kept_slot(old.name) if old else None
    status = target.slots.get(old.name) if old else None
    if old is None or kept is None or kept.state is not SlotState.WARM:
        what = f"{old.describe()} is {kept.state if kept else 'gone'}" if old else "There is none"
        raise Refused(
            f"There is no slot of {record.service} to go back to: {what}.",
            state="Traffic is where it was.",
            advice=f"See `gp status {record.service}`.",
        )
    if status is None or status.ready == 0:
        raise Refused(
            f"{old.describe()} has no ready replica to go back to.",
            state="Traffic is where it was.",
            advice=f"See `gp logs {record.service}`.",
        )
    return old
