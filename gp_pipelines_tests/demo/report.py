"""What the demo found: var/demo/report.json for scripts, a table for people."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

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
    outcome: str  # released, failed, refused, rolled_back
    rollback_run_id: str | None = None  # of what has undone it
    findings: tuple[str, ...] = ()  # of the gate: severity, rule, object


@dataclass(frozen=True)
class Rollback:
    """Times are seconds since the epoch; None: not seen. Most of it is detection."""

    service: str
    release_run_id: str
    run_id: str
    alert: str
    bad_release_to_restored_ms: float  # from the first failed request to traffic verified
    timeline: Mapping[str, float | None]  # onset, alert, decision, first_old_answer, verified

    def spans(self) -> Iterator[tuple[str, float]]:
        """Seconds between each moment and the one before it."""
        known = [(name, at) for name, at in self.timeline.items() if at is not None]
        for (before, start), (name, end) in pairwise(known):
            yield f"{before} → {name}", end - start


@dataclass
class Expectation:
    what: str
    held: bool
    found: str


@dataclass
class Report:
    releases: list[Release] = field(default_factory=list)
    rollbacks: list[Rollback] = field(default_factory=list)
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
        findings = Table("the gate", "finding")
        for each in self.releases:
            for finding in each.findings:
                findings.add_row(each.version, finding)
        rollbacks = Table("rollback", "took")
        for rollback in self.rollbacks:
            for name, seconds in rollback.spans():
                rollbacks.add_row(name.replace("_", " "), f"{max(seconds, 0.0):.2f} s")
            whole = f"{rollback.bad_release_to_restored_ms / 1000:.2f} s"
            rollbacks.add_row(f"in all, by {rollback.alert}", whole)
        expected = Table("", "expected", "found")
        for one in self.expectations:
            mark = Text("✓", "green") if one.held else Text("✗", "bold red")
            expected.add_row(mark, one.what, one.found)
        end = Text(
            f"{self.requests} requests, {self.failed} failed "
            f"({self.failed_by_bad_version} more by the bad version): "
            + ("every expectation held" if self.passed else "FAILED"),
            style="bold green" if self.passed else "bold red",
        )
        return Group(releases, findings, rollbacks, expected, end)
