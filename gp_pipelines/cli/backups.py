"""`gp backups` and `gp restore`: what there is to go back to, and going back."""

import getpass
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gp_pipelines.cli.launch import launch
from gp_pipelines.cli.output import give
from gp_pipelines.cli.project import Project
from gp_pipelines.databases.contract import Database
from gp_pipelines.restore.choice import Listed, database_of
from gp_pipelines.restore.choice import list_backups as listed_backups


def list_backups(project: Project, service: str, as_json: bool) -> None:
    """Works when Dagster is down. Raises `Refused` for a service without a database."""
    platform = project.platforms[service]
    database = database_of(platform)
    listed = listed_backups(platform, platform.target.traffic.read().now)
    found = [_as_object(each) for each in listed]
    give({"service": service, "backups": found}, as_json, _as_text(listed, database))


def launch_restore(
    project: Project,
    service: str,
    backup: str,
    version: str,
    reason: str,
    confirm: str,
    wait: bool,
    as_json: bool,
) -> None:
    """In the caller's name. The job itself asks for what is missing."""
    launch(
        project,
        "restore",
        service,
        backup=backup,
        version=version,
        operator=getpass.getuser(),
        reason=reason,
        confirm=confirm,
        wait=wait,
        as_json=as_json,
    )


def _as_object(each: Listed) -> dict[str, Any]:
    """The names that scripts rely on; `rows_written_since` is null where it is unknown."""
    backup = each.backup
    return {
        "id": backup.id,
        "at": backup.at.isoformat(),
        "age_seconds": round(each.age_seconds),
        "size": backup.size,
        "rows": sum(backup.rows.values()),
        "tables": dict(backup.rows),
        "verified": backup.verified,
        "proof": backup.proof,
        "database": backup.database,
        "rows_written_since": each.written_since,
        "location": backup.location,
    }


def _as_text(listed: Sequence[Listed], database: Database) -> RenderableType:
    if not listed:
        return Text("There is no backup. A release makes one before it migrates.")
    table = Table("backup", "age", "MB", "rows", "verified", "written since", box=None)
    for each in listed:
        backup, lost = each.backup, each.written_since
        hours, seconds = divmod(round(each.age_seconds), 3600)
        table.add_row(
            backup.id,
            f"{hours} h {seconds // 60} min",
            f"{backup.size / 1e6:,.1f}",
            f"{sum(backup.rows.values()):,}",
            "yes" if backup.verified else Text("NO", "bold red"),
            "unknown" if lost is None else f"{lost:,} rows",
        )
    note = f"The data are in {database.name()} now."
    return Group(table, Text(note, style="dim"))
