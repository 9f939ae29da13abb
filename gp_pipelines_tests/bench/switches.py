"""Fifty releases in a row under load: what they lose, and how soon users see the new version."""

import math
from datetime import datetime
from typing import Any

from gp_pipelines_tests.bench.figure import Progress, Value
from gp_pipelines_tests.bench.prober import Prober
from gp_pipelines_tests.bench.project import SERVICE, must, other, running_project
from gp_pipelines_tests.demo.project import DemoProject
from gp_pipelines_tests.load import Load

RELEASES = 50
RATE = 60.0  # requests/s, beside the prober's; the goal speaks of at least 50
SECONDS = 900.0


def switches(progress: Progress, releases: int = RELEASES) -> dict[str, Value]:
    """Each release goes through Dagster, as `gp release` does it.

    The first answer is timed from outside, from `switched_at` (the target's clock just before the
    write that moves traffic) to the end of the new release's first answer on a fresh connection.
    `verified` is the pipeline's own figure, from the start of that write until a whole round of
    requests, fresh and kept alive, was answered by the new release. Raises RuntimeError.
    """
    first_ms: list[float] = []
    verified_ms: list[float] = []
    with running_project(progress) as project:
        status = _status(project)
        log = project.root / "load.jsonl"
        with Load(status["entrance"], log, rate=RATE, seconds=SECONDS) as load:
            version = status["live"]["version"]
            for number in range(1, releases + 1):
                version = other(version)
                seen, verified = _release(project, version)
                first_ms.append(seen)
                verified_ms.append(verified)
                progress(
                    f"release {number}/{releases}: {version} seen after {seen:.1f} ms, "
                    f"verified after {verified:.0f} ms, {load.results().failed} requests lost"
                )
            results = load.stop()
    for example in results.examples():
        progress(f"lost: {example}")
    if results.rate < 50:
        raise RuntimeError(f"the load was {results.rate:.0f} requests/s, and not at least 50")
    return {
        "release.failed_requests": Value(results.failed, releases),
        "release.requests": Value(results.requests, releases),
        "switch.first_new_answer_p95_ms": Value(round(_p95(first_ms), 1), releases),
        "switch.verified_p95_ms": Value(round(_p95(verified_ms), 1), releases),
    }


def _release(project: DemoProject, version: str) -> tuple[float, float]:
    """Milliseconds to the first answer of the new release, and to verified traffic."""
    before = _status(project)
    with Prober(before["entrance"], "/health") as prober:
        said = must(project.gp("release", SERVICE, version, "--allow-downgrade"))
    after = _status(project)
    release: Any = said["release"]
    if after["live"]["release_id"] != said["release_id"]:
        raise RuntimeError(f"{version} was released, and is not live")
    switched_at = datetime.fromisoformat(after["switched_at"]).timestamp()
    seen = prober.first_answer(after["live"]["release_id"])
    return (seen - switched_at) * 1000, release["switch"]["all new, verified (ms)"]


def _status(project: DemoProject) -> Any:
    services: Any = must(project.gp("status", SERVICE))["services"]
    return services[0]


def _p95(values: list[float]) -> float:
    """By nearest rank."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
