"""The verdict, and how findings are shown."""

import json

import pytest

from gp_pipelines.databases.compatibility.finding import Finding, Report, Severity, Verdict


def finding(severity: Severity, statement: str = "") -> Finding:
    return Finding(severity, "a-rule", "public.t", "reading t", "add another one", statement)


@pytest.mark.parametrize(
    ("severities", "verdict"),
    [
        ([], Verdict.COMPATIBLE),
        ([Severity.NOTE, Severity.NOTE], Verdict.COMPATIBLE),
        ([Severity.NOTE, Severity.APPROVAL], Verdict.NEEDS_APPROVAL),
        ([Severity.APPROVAL, Severity.BREAKING, Severity.NOTE], Verdict.BREAKING),
    ],
)
def test_the_verdict_is_the_worst_finding_and_notes_are_compatible(
    severities: list[Severity], verdict: Verdict
) -> None:
    assert Report.of(map(finding, severities)).verdict is verdict


def test_the_worst_is_named_first_and_nothing_twice() -> None:
    report = Report.of([finding(each) for each in (Severity.NOTE, Severity.BREAKING)] * 2)
    assert [each.severity for each in report.findings] == [Severity.BREAKING, Severity.NOTE]


def test_scripts_get_every_field() -> None:
    report = Report.of([finding(Severity.BREAKING, "DROP TABLE t")])
    assert json.loads(json.dumps(report.as_object())) == {
        "verdict": "breaking",
        "findings": [
            {
                "severity": "breaking",
                "rule": "a-rule",
                "object": "public.t",
                "statement": "DROP TABLE t",
                "breaks": "reading t",
                "instead": "add another one",
            }
        ],
    }


def test_a_password_in_a_statement_is_not_shown() -> None:
    report = Report.of([finding(Severity.NOTE, "ALTER ROLE app PASSWORD 'it''s secret' LOGIN")])
    for shown in (report.as_markdown(), json.dumps(report.as_object())):
        assert "secret" not in shown
        assert "LOGIN" in shown
