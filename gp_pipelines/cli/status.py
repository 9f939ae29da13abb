"""`gp status`: a ServiceStatus as an object for scripts and as a table for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gp_pipelines.cli.ages import ago, until
from gp_pipelines.status import Closed, ServiceStatus, StandingSlot

COLORS = {"live": "green", "releasing": "cyan", "waiting": "yellow", "unconfirmed": "bold red"}

FLAGS = {"baking": "dim"}


def as_object(status: ServiceStatus) -> dict[str, Any]:
    """The names that scripts rely on; times in UTC with zone."""
    record = status.record
    previous = status.previous
    return {
        "name": status.name,
        "state": status.state,
        "flags": list(status.flags),
        "drift": list(status.drift),
        "problems": list(status.problems),
        "remarks": list(status.remarks),
        "quarantines": [{**asdict(each), "at": _time(each.at)} for each in status.quarantines],
        "live": _slot(status.live),
        "idle": _slot(status.idle),
        "previous": _slot(previous),
        "slots": [_slot(each) for each in status.slots],
        "entrance": status.entrance,
        "preview": status.preview,
        "rollback": status.rollback,
        "rollback_closed": _closed(status.rollback_closed),
        "fence": record.fence if record else None,
        "revision": record.revision if record else None,
        "holder": _holder(status),
        "switched_at": _time(record.switched_at) if record else None,
        "confirmed": record.confirmed if record else None,
        "deadline": _time(previous.deadline) if previous else None,
        "runs": [dict(run) for run in status.runs],
        "rollbacks": [asdict(each) for each in status.rollbacks],
        "error": status.error or None,
    }


def as_text(
    statuses: Sequence[ServiceStatus], dagster_url: str | None, webhook_url: str | None
) -> RenderableType:
    parts: list[RenderableType] = [_service(status) for status in statuses]
    parts.append(Text(f"Alerts: {webhook_url or 'not taken (`gp up` starts it)'}", style="dim"))
    parts.append(Text(f"Dagster: {dagster_url or 'down (`gp up` starts it)'}", style="dim"))
    return Group(*parts)


def _service(status: ServiceStatus) -> RenderableType:
    head = Text.assemble(
        (status.name, "bold"),
        "  ",
        (status.state, COLORS.get(status.state, "")),
        *(part for flag in status.flags for part in ("  ", (flag, FLAGS.get(flag, "bold red")))),
        f"  {status.entrance or ''}",
    )
    if status.error:
        return Group(head, _indented(status.error), Text())
    lines: list[RenderableType] = [head]
    lines += [_indented(each) for each in (*status.drift, *status.problems, *status.remarks)]
    if status.holder is not None:
        life = "" if status.holder_lives else "; no sign of life, its work is ended within 60 s"
        lines.append(Text(f"  at work: {status.holder.describe()}{life}"))
    if status.slots:
        lines.append(_slots(status))
    lines.append(Text(f"  rollback: {_rollback(status)}"))
    lines += [
        Text(f"  in quarantine: {each.version} by {each.by}, {each.reason}", style="yellow")
        for each in status.quarantines
    ]
    if status.preview:
        lines.append(Text(f"  preview of the idle color: {status.preview}"))
    if status.runs:
        lines.append(_runs(status))
    return Group(*lines, Text())


def _indented(problem: str) -> RenderableType:
    """Also its second line, and where the terminal is too narrow for the first."""
    return Padding(Text(problem, style="red"), (0, 0, 0, 2))


def _slots(status: ServiceStatus) -> Table:
    table = Table("color", "release", "version", "state", "ready", "until", box=None, pad_edge=True)
    now = status.now
    for each in sorted(status.slots, key=lambda each: each.state != "live"):
        slot = each.slot
        since = status.record.switched_at if status.record and each.state == "live" else None
        when = ""
        if now and each.deadline:
            when = until(each.deadline, now)
        elif now and since:
            when = f"since {ago(since, now)}"
        table.add_row(
            slot.color.value,
            f"#{slot.number}",
            slot.version,
            Text(each.state, COLORS.get(each.state, "")),
            f"{each.ready}/{slot.replicas}",
            when,
        )
    return table


def _rollback(status: ServiceStatus) -> str:
    previous = status.previous
    if previous is None:
        return "none: there is no previous version"
    closed = status.rollback_closed
    if closed is not None and status.now:
        return (
            f"none: the way back to {previous.slot.describe()} was closed by the schema "
            f"{closed.schema} {ago(closed.since, status.now)}: {closed.why}"
        )
    if status.rollback == "warm" and status.now and previous.deadline:
        return (
            f"warm, to {previous.slot.describe()}; retired {until(previous.deadline, status.now)}"
        )
    return f"{status.rollback}, to {previous.slot.describe()}"


def _runs(status: ServiceStatus) -> RenderableType:
    table = Table("last releases", "version", "outcome", "by", "", box=None, pad_edge=True)
    for run in status.runs:
        began = datetime.fromisoformat(run["began_at"])
        table.add_row(
            f"#{run['number']}",
            f"{run['version_before'] or 'nothing'} → {run['version']}",
            run["outcome"] or "under way",
            run["actor"],
            ago(began, status.now) if status.now else "",
        )
    newest = status.runs[0]
    if not newest["reason"]:
        return table
    why = f"  why #{newest['number']} ended so: {newest['reason'].splitlines()[0]}"
    return Group(table, Text(why, style="dim"))


def _slot(standing: StandingSlot | None) -> dict[str, Any] | None:
    if standing is None:
        return None
    slot = standing.slot
    return {
        "release_id": slot.release_id,
        "number": slot.number,
        "version": slot.version,
        "digest": slot.digest,
        "config_hash": slot.config_hash,
        "color": slot.color.value,
        "replicas": slot.replicas,
        "ready": standing.ready,
        "slot": slot.name,
        "state": standing.state,
        "deadline": _time(standing.deadline),
    }


def _holder(status: ServiceStatus) -> Mapping[str, Any] | None:
    holder = status.holder
    if holder is None:
        return None
    return {
        "run_id": holder.run_id,
        "release_id": holder.release_id,
        "kind": holder.kind,
        "actor": holder.actor,
        "lives": status.holder_lives,
    }


def _closed(closed: Closed | None) -> Mapping[str, Any] | None:
    return {**asdict(closed), "since": _time(closed.since)} if closed else None


def _time(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
