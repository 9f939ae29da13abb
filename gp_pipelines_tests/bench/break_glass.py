"""`gp rollback --now` under load: how soon the old version answers, and what users lose."""

import time
from dataclasses import dataclass

from gp_pipelines_tests.bench.figure import Progress, Value, percentile
from gp_pipelines_tests.bench.prober import Prober
from gp_pipelines_tests.bench.project import SERVICE, live, must, running_project
from gp_pipelines_tests.demo.project import DemoProject
from gp_pipelines_tests.load import Load

ROLLBACKS = 30
RATE = 60.0  # requests/s, beside the prober's
LEAST_RATE = 50.0
LONGEST_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Rollback:
    seconds: float  # from the command's start to the first answer of the old version
    asked: int
    lost: tuple[str, ...]


def break_glass(progress: Progress, rollbacks: int = ROLLBACKS) -> dict[str, Value]:
    """Both versions are good ones: whatever is lost, the rollback has lost. Raises RuntimeError."""
    seen: list[Rollback] = []
    with running_project(progress) as project:
        must(project.gp("release", SERVICE, "v1", "--allow-downgrade"))
        log = project.root / "load.jsonl"
        entrance = live(project)["entrance"]
        with Load(entrance, log, rate=RATE, seconds=LONGEST_SECONDS) as load:
            for number in range(1, rollbacks + 1):
                must(project.gp("release", SERVICE, "v2"))
                seen.append(_roll_back(project))
                must(project.gp("quarantine", SERVICE, "v2", "--lift", "--reason", "bench"))
                progress(
                    f"rollback {number}/{rollbacks}: the old version answers after "
                    f"{seen[-1].seconds:.2f} s, "
                    f"{load.results().failed + len(seen[-1].lost)} requests lost"
                )
            results = load.stop()
    lost = [reason for each in seen for reason in each.lost]
    for example in (*results.examples(), *lost[:5]):
        progress(f"lost: {example}")
    if results.rate < LEAST_RATE:
        raise RuntimeError(f"the load was {results.rate:.0f} requests/s, not {LEAST_RATE:g}")
    return {
        "rollback.break_glass_p95_s": percentile(95, [each.seconds for each in seen], 2),
        "rollback.failed_requests": Value(results.failed + len(lost), rollbacks),
        "rollback.requests": Value(results.requests + sum(e.asked for e in seen), rollbacks),
    }


def _roll_back(project: DemoProject) -> Rollback:
    status = live(project)
    old = status["previous"]["release_id"]
    with Prober(status["entrance"], "/health") as prober:
        began = time.time()
        must(project.gp("rollback", SERVICE, "--now", "--reason", "bench"))
    return Rollback(prober.first_answer(old) - began, prober.asked, tuple(prober.lost))
