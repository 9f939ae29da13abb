"""What the demo found: var/demo/report.json for scripts, a table for people."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Release:
    """One release, with the requests that were begun while it ran."""

    service: str
    version_before: str | None
    version_after: str | None  # what is live once it has ended
    version: str  # what was to be released
    color: str | None
    steps: Mapping[str, float]  # seconds
    requests: int
    failed: int
    switch_ms: float | None  # from the write to traffic verified on the new version
    run_id: str
    outcome: str  # released, failed, refused


@dataclass
class Expectation:
    what: str
    held: bool
    found: str


@dataclass
class Report:
    releases: list[Release] = field(default_factory=list)
    rollbacks: list[Mapping[str, Any]] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    requests: int = 0
    failed: int = 0
    failed_by_bad_version: int = 0

    def expect(self, what: str, held: bool, found: object) -> None:
        self.expectations.append(Expectation(what, bool(held), str(found)))

    @property
    def passed(self) -> bool:
        return bool(self.expectations) and all(each.held for each in self.expectations)

    def write(self, path: Path) -> None:
        result = "passed" if self.passed else "failed"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"result": result, **asdict(self)}, indent=2) + "\n")

    def drawn(self) -> Group:
        releases = Table(
            "release", "outcome", "live after", "seconds", "switch", "requests", "lost"
        )
        for each in self.releases:
            releases.add_row(
                f"{each.version_before or 'nothing'} → {each.version}",
                each.outcome,
                each.version_after,
                f"{sum(each.steps.values()):.1f}",
                f"{each.switch_ms:.0f} ms" if each.switch_ms is not None else "-",
                str(each.requests),
                str(each.failed),
            )
        expected = Table("", "expected", "found")
        for one in self.expectations:
            mark = Text("✓", "green") if one.held else Text("✗", "bold red")
            expected.add_row(mark, one.what, one.found)
        end = Text(
            f"{self.requests} requests, {self.failed} failed: "
            + ("every expectation held" if self.passed else "FAILED"),
            style="bold green" if self.passed else "bold red",
        )
        return Group(releases, expected, end)
