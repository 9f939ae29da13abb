"""How a restore is ended by whoever holds the fence: its own run, a rollback, or the reconciler.

The write that moved the traffic decides. Before it the restore is undone: the old database can be
written to again, and what was made beside it is removed. From it on it is finished: the service is
pointed at the new database, and what works with the old one is retired. The old one is kept, and
stays read-only. Each step may be killed and done again; what was begun is forgotten last.
"""

from gp_pipelines import restores, restrictions
from gp_pipelines.databases import location
from gp_pipelines.databases.location import Location
from gp_pipelines.model import MovedBy, Progress, SlotState
from gp_pipelines.platform import Platform
from gp_pipelines.restore.choice import database_of
from gp_pipelines.restrictions import Restoring
from gp_pipelines.traffic import colors
from gp_pipelines.traffic.fence import Hold
from gp_pipelines.traffic.retire import remove, retire

DIED = "its run ended before the restore did"


def end_restore(hold: Hold, platform: Platform, progress: Progress, why: str = DIED) -> list[str]:
    """End whatever was begun; what was done, in words. Raises `FenceLost`.

    `why` it was not finished. While the traffic that it has moved is unconfirmed, the slots that
    work with the old database stay; so it is to be called again after that.
    """
    hold.read()
    done = []
    for begun in restrictions.all_restoring(platform.target.ledger):
        if _has_moved(hold, platform, begun):
            done += _finish(hold, platform, begun, progress)
        else:
            done += _undo(hold, platform, begun, progress, why)
    return done


def _has_moved(hold: Hold, platform: Platform, begun: Restoring) -> bool:
    record = hold.read().record
    there = location.found(platform.target.ledger)
    by_it = record.mover is not None and record.mover.run_id == begun.run_id
    moved = record.moved_by is MovedBy.RESTORE and by_it
    return moved or (there is not None and there.name == begun.new_database)


def _finish(hold: Hold, platform: Platform, begun: Restoring, progress: Progress) -> list[str]:
    ledger, done = platform.target.ledger, []
    there = location.found(ledger)
    if there is None or there.name != begun.new_database:
        now = hold.read().now
        location.moved(ledger, Location(begun.new_database, now.isoformat(), begun.backup))
        done.append(f"the service's data are in {begun.new_database} now")
    record = hold.read().record
    if not record.confirmed:
        return done
    for kept in record.kept:
        if kept.state in (SlotState.KEPT, SlotState.RETIRING):
            drain = platform.service.timeouts.drain
            why = f"it works with {begun.old_database}, which is read-only"
            retire(hold, platform.target, kept.slot, drain, why, progress)
            done.append(f"retired {kept.slot.describe()}: {why}")
    restores.ended(ledger, begun.run_id, "done", hold.read().now)
    restrictions.end_restoring(ledger, begun.run_id)
    return [*done, f"the restore of backup {begun.backup} is done"]


def _undo(
    hold: Hold, platform: Platform, begun: Restoring, progress: Progress, why: str
) -> list[str]:
    target, database = platform.target, database_of(platform)
    restorer, done = database.restorer(begun.run_id), []
    hold.read()
    if begun.old_database == database.name():  # else another restore has taken its place
        restorer.unprotect(begun.old_database)  # first: users may write again
        done.append(f"{begun.old_database} can be written to again: {why}")
    if _stands_for_nothing(hold, platform, begun):
        remove(hold, target, begun.slot, platform.service.timeouts.drain, progress)
        done.append(f"removed {begun.slot.name}")
    _put_previous_back(hold, platform)
    hold.read()
    restorer.drop(begun.new_database)
    restores.ended(target.ledger, begun.run_id, "failed", hold.read().now, why)
    restrictions.end_restoring(target.ledger, begun.run_id)
    return [*done, f"removed {begun.new_database}: the restore of {begun.backup} is undone"]


def _stands_for_nothing(hold: Hold, platform: Platform, begun: Restoring) -> bool:
    """Its slot stands, and is not another restore's of that name."""
    record, name = hold.read().record, begun.slot.name
    is_live = record.live is not None and record.live.name == name
    stands = platform.target.slots.get(name) is not None
    return stands and not is_live and record.kept_slot(name) is None


def _put_previous_back(hold: Hold, platform: Platform) -> None:
    """The slot that a rollback goes to, behind its color again: so that is only a switch."""
    target, record = platform.target, hold.read().record
    kept = record.kept_slot(record.previous.name) if record.previous else None
    if kept is None or kept.state is not SlotState.WARM:
        return
    stands = target.slots.get(kept.slot.name) is not None
    if stands and target.traffic.read_color(kept.slot.color).slot_name is None:
        colors.point(hold, target.traffic, kept.slot.color, kept.slot)
