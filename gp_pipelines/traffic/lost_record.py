"""The way back from a lost traffic record: it is made again from its copy."""

from dataclasses import replace

from gp_pipelines.errors import RecordLost
from gp_pipelines.model import TrafficRecord
from gp_pipelines.targets.contract import Target


def restore_lost_record(target: Target) -> TrafficRecord | None:
    """Make a lost record again from its copy, under a fence above the copy's; else None.

    Whoever held the fence can change nothing from then on. Raises `RecordLost` without a copy.
    """
    try:
        target.traffic.read()
    except RecordLost:
        copy = target.traffic.read_copy()
        if copy is None:
            raise
        again = replace(copy, fence=copy.fence + 1, revision=copy.revision + 1, holder=None)
        target.traffic.write_copy(target.traffic.make_again(again).record)
        return again
    return None
