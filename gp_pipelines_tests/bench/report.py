"""The figures as a file for programs and a table for people."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from gp_pipelines_tests.bench.figure import Result


def write(path: Path, results: tuple[Result, ...], machine: Mapping[str, object]) -> None:
    """`met` is null where a figure has no goal; `value` is null where it could not be measured, and
    `error` then says why."""
    report = {
        "figures": [_entry(result) for result in results],
        "machine": machine,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")


def table(area: str, results: tuple[Result, ...]) -> Table:
    drawn = Table("figure", "value", "goal", "met", "runs", title=f"Figures: {area}")
    for result in results:
        value = result.value
        drawn.add_row(
            result.figure.name,
            f"{value.value:g} {result.figure.unit}" if value else "[red]not measured[/]",
            result.figure.goal or "",
            {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[result.met],
            str(value.runs) if value else "",
        )
    return drawn


def _entry(result: Result) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": result.figure.name,
        "value": result.value.value if result.value else None,
        "unit": result.figure.unit,
        "goal": result.figure.goal,
        "met": result.met,
        "runs": result.value.runs if result.value else 0,
    }
    return entry | ({"error": result.error} if result.error else {})
