"""What the gate finds in a migration, and the verdict that follows from it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from gp_pipelines.errors import redact

LONGEST_STATEMENT = 400


class Severity(StrEnum):
    """From worst to least."""

    BREAKING = "breaking"  # the old version no longer works, or cannot be expected to
    APPROVAL = "approval"  # a person decides: it depends on what only people know
    NOTE = "note"


class Verdict(StrEnum):
    BREAKING = "breaking"
    NEEDS_APPROVAL = "needs_approval"
    COMPATIBLE = "compatible"


_VERDICTS = {
    Severity.BREAKING: Verdict.BREAKING,
    Severity.APPROVAL: Verdict.NEEDS_APPROVAL,
    Severity.NOTE: Verdict.COMPATIBLE,
}
_WORST_FIRST = tuple(Severity)
_PASSWORD = re.compile(r"(?i)\b((?:password|secret|token|passfile)\s+)(E?'(?:[^'\\]|''|\\.)*')")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should know of before the migration is applied."""

    severity: Severity
    rule: str  # in the words of scripts: `column-dropped`
    object: str  # what it is about: `public.missions.name`
    breaks: str  # what no longer works, or what it costs
    instead: str = ""  # how it is done without that: expand first, contract later
    statement: str = ""  # of the migration, where one is known


@dataclass(frozen=True, slots=True)
class Report:
    """The findings, worst first."""

    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "Report":
        """Each finding once, and no statement of it too long or with a password in it."""
        shown = (
            Finding(**{**asdict(each), "severity": each.severity, "statement": _shown(each)})
            for each in findings
        )
        return cls(tuple(sorted(dict.fromkeys(shown), key=_rank)))

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings; notes alone are compatible."""
        return _VERDICTS[self.findings[0].severity] if self.findings else Verdict.COMPATIBLE

    def as_object(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "verdict": str(self.verdict),
            "findings": [
                {**asdict(finding), "severity": str(finding.severity)} for finding in self.findings
            ],
        }

    def as_markdown(self) -> str:
        """For people."""
        counts = self._counts()
        found = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
        lines = [f"**{_VERDICT_WORDS[self.verdict]}** ({found or 'no findings'})"]
        for finding in self.findings:
            lines += ["", *_paragraph(finding)]
        return "\n".join(lines)

    def _counts(self) -> Mapping[Severity, int]:
        return {each: sum(f.severity is each for f in self.findings) for each in _WORST_FIRST}


_VERDICT_WORDS = {
    Verdict.BREAKING: "Breaks the version that is live",
    Verdict.NEEDS_APPROVAL: "Needs a person's approval",
    Verdict.COMPATIBLE: "Compatible with the version that is live",
}


def _rank(finding: Finding) -> int:
    return _WORST_FIRST.index(finding.severity)


def _paragraph(finding: Finding) -> list[str]:
    lines = [f"- **{finding.severity}** `{finding.rule}` {finding.object}: {finding.breaks}"]
    if finding.instead:
        lines.append(f"  Instead: {finding.instead}")
    if finding.statement:
        lines.append(f"  Statement: `{finding.statement.replace('`', chr(39))}`")
    return lines


def _shown(finding: Finding) -> str:
    line = " ".join(redact(_PASSWORD.sub(r"\1'***'", finding.statement)).split())
    return line if len(line) <= LONGEST_STATEMENT else f"{line[:LONGEST_STATEMENT]}…"
