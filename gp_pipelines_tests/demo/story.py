"""The demo's story: v1, load, v2 with a migration, v3 stopped by smoke, v4 rolled back by an alert,
v5 stopped by the gate, an old slot retired. What bad v4 answers wrongly is counted apart.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gp_pipelines_tests.demo.bad_release import expect_restored, told, wait_until_undone
from gp_pipelines_tests.demo.project import DemoProject
from gp_pipelines_tests.demo.report import Release, Report
from gp_pipelines_tests.load import Load, Results

SERVICE = "ghostpirates-api"
RATE = 80.0  # requests/s; the demo promises at least 50
LEAST_RATE = 50.0
LOAD_SECONDS = 600.0

# Bad versions: in which step they end, by what, and how.
STOPPED_BY = {
    "v3": ("smoke", "its smoke checks", "failed"),
    "v5": ("migrate", "the gate", "refused"),
}

Say = Callable[[str], None]


def tell(project: DemoProject, report: Report, say: Say) -> None:
    """Fill `report`. Raises RuntimeError where the story cannot go on."""
    say("starting the stack")
    _must(project.gp("up"))
    say("releasing v1: the first release of all")
    _release(project, report, "v1", None)
    entrance = _status(project)["entrance"]
    say(f"load on {entrance}: {RATE:g} requests/s, half on fresh connections, reads and writes")
    log = project.root / "load.jsonl"
    with Load(entrance, log, rate=RATE, seconds=LOAD_SECONDS) as load:
        say("releasing v2, with a migration")
        _release(project, report, "v2", load)
        say("letting the retention of v1 run out")
        _retire(project, report, load)
        say("releasing v3, which fails its smoke checks")
        _release(project, report, "v3", load)
        say("releasing v4, which passes its smoke checks, and fails requests later")
        _go_bad(project, report, load, say)
        say("releasing v5, whose migration renames a column that v2 reads")
        _release(project, report, "v5", load)
        time.sleep(1)
        results = load.stop()
    _conclude(project, report, results)


def _go_bad(project: DemoProject, report: Report, load: Load, say: Say) -> None:
    since = load.mark("v4 and its rollback")
    _release(project, report, "v4", load)
    released = report.releases[-1]
    say("v4 is live; waiting for an alert to roll it back")
    undone = wait_until_undone(lambda: _status(project), released.run_id)
    report.expect("v4 is rolled back by itself", undone is not None, "done" if undone else "no")
    if undone is None:
        return
    seen = load.complete().during(since)
    rollback = told(SERVICE, "v4", "v2", undone, seen)
    report.rollbacks.append(rollback)
    report.releases[-1] = replace(released, outcome="rolled_back", rollback_run_id=rollback.run_id)
    expect_restored(report, undone, seen, "v4", "v2")
    say(f"v2 is back {rollback.bad_release_to_restored_ms / 1000:.1f} s after the first error")
    say("releasing v4 once more")
    code, said = project.gp("release", SERVICE, "v4")
    refused = code == 1 and said.get("outcome") == "refused"
    report.expect("v4 is in quarantine: it is not released again", refused, said.get("outcome"))


def _release(project: DemoProject, report: Report, version: str, load: Load | None) -> None:
    before = _status(project)
    since = load.mark(f"release {version}") if load else 0
    code, said = project.gp("release", SERVICE, version)
    seen = load.complete().during(since) if load else Results(())
    after = _status(project)
    remembered = said.get("release") or {}
    outcome = {"done": "released"}.get(said.get("outcome", ""), said.get("outcome", "failed"))
    switch = remembered.get("switch") or {}
    released = Release(
        service=SERVICE,
        version_before=(before["live"] or {}).get("version"),
        version_after=(after["live"] or {}).get("version"),
        version=version,
        color=remembered.get("color"),
        steps=said.get("steps", {}),
        requests=seen.requests,
        failed=seen.failed,
        switch_ms=switch.get("all new, verified (ms)"),
        run_id=said.get("run_id", ""),
        outcome=outcome,
        findings=_serious(remembered.get("judged") or {}),
    )
    report.releases.append(released)
    if version in STOPPED_BY:
        _expect_untouched(report, released, code, before, after, seen)
    elif version == "v4":
        report.expect("v4 is released", outcome == "released", outcome)
    else:
        _expect_released(report, released, code, version, seen)


def _expect_released(
    report: Report, released: Release, code: int, version: str, seen: Results
) -> None:
    report.expect(
        f"{version} is released", code == 0 and released.outcome == "released", released.outcome
    )
    report.expect(f"{version} is live", released.version_after == version, released.version_after)
    if seen.requests:
        report.expect(
            f"nothing is lost while {version} is released",
            released.failed == 0,
            f"{released.failed} of {released.requests} requests {'; '.join(seen.examples(3))}",
        )


def _expect_untouched(
    report: Report,
    released: Release,
    code: int,
    before: dict[str, Any],
    after: dict[str, Any],
    seen: Results,
) -> None:
    version = released.version
    step, by, outcome = STOPPED_BY[version]
    stopped = list(released.steps)[-1:] == [step] and released.outcome == outcome
    report.expect(f"{version} is stopped by {by}", stopped, released.outcome)
    report.expect("its release says so, and exits with 1", code == 1, f"exit code {code}")
    if step == "migrate":
        found = "; ".join(released.findings)
        report.expect("the findings name the column", "missions.title" in found, found or "none")
    report.expect("v2 is still live", after["live"] == before["live"], released.version_after)
    versions = {str(version) for version in seen.answered_by_version}
    report.expect(
        f"no user has seen {version}, and nothing is lost",
        versions == {"v2"} and released.failed == 0,
        f"answered by {', '.join(sorted(versions))}; {released.failed} lost",
    )
    gone = after["idle"] is None
    report.expect("nothing stands beside it", gone, "gone" if gone else after["idle"])


def _serious(judged: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{each['severity']}: {each['rule']} {each['object']}"
        for each in judged.get("findings", ())
        if each["severity"] != "note"
    )


def _retire(project: DemoProject, report: Report, load: Load) -> None:
    status = _status(project)
    report.expect("v1 stays warm for a rollback", status["rollback"] == "warm", status["rollback"])
    deadline = datetime.fromisoformat(status["deadline"])
    time.sleep(max(0.0, (deadline - datetime.now(UTC)).total_seconds()) + 0.5)
    since = load.mark("cleanup of v1")
    project.gp("cleanup", SERVICE)
    seen = load.complete().during(since)
    gone = _status(project)["idle"] is None
    report.expect("v1 is retired when its time has run out", gone, "retired" if gone else "stands")
    report.expect("nothing is lost by that", seen.failed == 0, f"{seen.failed} of {seen.requests}")


def _conclude(project: DemoProject, report: Report, results: Results) -> None:
    lost = replace(results, records=tuple(each for each in results.records if each.version != "v4"))
    report.requests, report.failed = results.requests, lost.failed
    report.failed_by_bad_version = results.failed - lost.failed
    report.expect(
        f"at least {LEAST_RATE:g} requests/s", results.rate >= LEAST_RATE, f"{results.rate:.0f}/s"
    )
    report.expect(
        "no request is lost in all, but by v4 itself",
        report.failed == 0,
        f"{lost.failed} of {results.requests} {'; '.join(lost.examples())}",
    )
    runs = {run["run_id"]: run["outcome"] for run in _status(project)["runs"]}
    expected = {each.run_id: each.outcome for each in report.releases}
    same = runs == expected
    found = f"{len(runs)} releases" if same else f"{runs}, expected {expected}"
    report.expect("`gp status` remembers the same releases", same, found)


def _status(project: DemoProject) -> dict[str, Any]:
    services = _must(project.gp("status", SERVICE))["services"]
    found = services[0]
    assert isinstance(found, dict)
    return found


def _must(done: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    code, said = done
    if code != 0:
        raise RuntimeError(said.get("error") or f"exit code {code}")
    return said
