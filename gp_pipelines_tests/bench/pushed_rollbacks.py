"""Rollbacks by an alert that is sent to the webhook, with Dagster as it runs in production."""

import random
import time
from datetime import UTC, datetime
from typing import Any

import httpx

from gp_pipelines_tests.bench.figure import Progress, Value, percentile
from gp_pipelines_tests.bench.project import SERVICE, live, must, running_project
from gp_pipelines_tests.demo.project import DemoProject

ROLLBACKS = 30
DONE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 6.0  # more than the daemon's round of five: the moments are random ones
SEED = 4


def pushed_rollbacks(progress: Progress, rollbacks: int = ROLLBACKS) -> dict[str, Value]:
    """From the webhook's 200 to traffic verified on the old version, by the target's clock, which
    is this machine's. `switch` is of that the time from the write that moves traffic on.

    Raises RuntimeError.
    """
    moments = random.Random(SEED)
    seconds, switches = [], []
    with running_project(progress, {"max_automatic_rollbacks": 50}) as project:
        webhook = str(must(project.gp("status"))["webhook_url"])
        must(project.gp("release", SERVICE, "v1", "--allow-downgrade"))
        for number in range(1, rollbacks + 1):
            must(project.gp("release", SERVICE, "v2"))
            time.sleep(moments.uniform(0, LONGEST_PAUSE_SECONDS))
            accepted, done = _roll_back(project, webhook)
            timeline = {k: datetime.fromisoformat(v) for k, v in done["timeline"].items()}
            seconds.append(timeline["verified"].timestamp() - accepted)
            switches.append((timeline["verified"] - timeline["moved"]).total_seconds())
            begun = datetime.fromisoformat(done["began_at"]).timestamp() - accepted
            progress(
                f"rollback {number}/{rollbacks}: begun {begun:.2f} s after the webhook's answer, "
                f"verified after {seconds[-1]:.2f} s, the switch took {switches[-1]:.3f} s"
            )
            must(project.gp("quarantine", SERVICE, "v2", "--lift", "--reason", "bench"))
    return {
        "rollback.webhook_to_verified_p50_s": percentile(50, seconds, 2),
        "rollback.webhook_to_verified_p95_s": percentile(95, seconds, 2),
        "rollback.switch_p95_s": percentile(95, switches, 3),
    }


def _roll_back(project: DemoProject, webhook: str) -> tuple[float, Any]:
    """When the webhook had answered, and what the target remembers of the rollback."""
    bad = live(project)["live"]
    alert = {
        "labels": {
            "alertname": "Bench",
            "service": SERVICE,
            "auto_rollback": "true",
            "release_id": bad["release_id"],
        },
        "annotations": {},
        "status": "firing",
        "startsAt": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    token = (project.root / "var" / "webhook" / "token").read_text().strip()
    answer = httpx.post(
        f"{webhook}/webhook/alert",
        json=alert,
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
    )
    accepted = time.time()
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"the webhook answered {answer.status_code}: {answer.text}")
    return accepted, _wait(project, bad["release_id"])


def _wait(project: DemoProject, release_id: str) -> Any:
    deadline = time.monotonic() + DONE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(4)  # `gp status` would take the run's processor from it
        for rollback in live(project)["rollbacks"]:
            if rollback["release_id"] == release_id and rollback["outcome"] is not None:
                if rollback["outcome"] != "done":
                    raise RuntimeError(f"the rollback ended so: {rollback}")
                return rollback
    raise RuntimeError(f"release {release_id} was not rolled back in {DONE_SECONDS:g} s")
