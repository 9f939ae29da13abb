"""Fifty releases in a row under load: what they lose, and how soon users see the new version."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gp_pipelines_tests.bench.figure import Progress, Value, percentile
from gp_pipelines_tests.bench.prober import Prober
from gp_pipelines_tests.bench.project import SERVICE, live, must, other, running_project
from gp_pipelines_tests.demo.project import DemoProject
from gp_pipelines_tests.load import Load

RELEASES = 50
RATE = 60.0  # requests/s, beside the prober's
LEAST_RATE = 50.0
LONGEST_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Switch:
    """One release: what the prober saw of it, and what the pipeline says of it."""

    first_ms: float  # until the first answer of the new release
    verified_ms: float
    asked: int
    lost: tuple[str, ...]


def switches(progress: Progress, releases: int = RELEASES) -> dict[str, Value]:
    """Each release goes through Dagster, as `gp release` does it.

    The first answer is timed from outside, from `switched_at` (the target's clock just before the
    write that moves traffic) to the end of the new release's first answer on a fresh connection.
    `verified` is the pipeline's own figure, from the start of that write until a whole round of
    requests, fresh and kept alive, was answered by the new release. Raises RuntimeError.
    """
    seen: list[Switch] = []
    with running_project(progress) as project:
        status = live(project)
        log = project.root / "load.jsonl"
        with Load(status["entrance"], log, rate=RATE, seconds=LONGEST_SECONDS) as load:
            version = status["live"]["version"]
            for number in range(1, releases + 1):
                version = other(version)
                seen.append(_release(project, version))
                progress(
                    f"release {number}/{releases}: {version} seen after {seen[-1].first_ms:.1f} "
                    f"ms, verified after {seen[-1].verified_ms:.0f} ms, "
                    f"{load.results().failed + len(seen[-1].lost)} requests lost"
                )
            results = load.stop()
    lost = [reason for each in seen for reason in each.lost]
    for example in (*results.examples(), *lost[:5]):
        progress(f"lost: {example}")
    if results.rate < LEAST_RATE:
        raise RuntimeError(f"the load was {results.rate:.0f} requests/s, not {LEAST_RATE:g}")
    return {
        "release.failed_requests": Value(results.failed + len(lost), releases),
        "release.requests": Value(results.requests + sum(each.asked for each in seen), releases),
        "switch.first_new_answer_p95_ms": percentile(95, [each.first_ms for each in seen], 1),
        "switch.verified_p95_ms": percentile(95, [each.verified_ms for each in seen], 1),
    }


def _release(project: DemoProject, version: str) -> Switch:
    before = live(project)
    with Prober(before["entrance"], "/health") as prober:
        said = must(project.gp("release", SERVICE, version, "--allow-downgrade"))
    after = live(project)
    release: Any = said["release"]
    if after["live"]["release_id"] != said["release_id"]:
        raise RuntimeError(f"{version} was released, and is not live")
    switched_at = datetime.fromisoformat(after["switched_at"]).timestamp()
    return Switch(
        first_ms=(prober.first_answer(after["live"]["release_id"]) - switched_at) * 1000,
        verified_ms=release["switch"]["all new, verified (ms)"],
        asked=prober.asked,
        lost=tuple(prober.lost),
    )
