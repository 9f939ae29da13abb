"""The demo's second part: v4 passes its smoke checks, goes bad under load, and is rolled back."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gp_pipelines_tests.demo.report import Report, Rollback
from gp_pipelines_tests.load import Results

# From the release's end: v4 needs some requests to go bad, and the probe some to be sure of it.
RESTORED_SECONDS = 60.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Undone:
    """What the target remembers of the rollback, and what users saw meanwhile."""

    remembered: Mapping[str, Any]
    live: Mapping[str, Any]


def wait_until_undone(status: Callable[[], dict[str, Any]], release_id: str) -> Undone | None:
    """None if nothing has undone the release in time."""
    deadline = time.monotonic() + RESTORED_SECONDS
    while time.monotonic() < deadline:
        for rollback in status()["rollbacks"]:
            if rollback["release_id"] == release_id and rollback["outcome"] == "done":
                return Undone(rollback, status()["live"])
        time.sleep(POLL_SECONDS)
    return None


def told(service: str, bad: str, good: str, undone: Undone, seen: Results) -> Rollback:
    """The time line: what users saw comes from the load, the rest from the target."""
    failed = seen.answers(version=bad).failures
    onset = min((record.begun for record in failed), default=0) / 1e9
    alert = undone.remembered["alert"]
    verified = _seconds(undone.remembered["timeline"]["verified"])
    moved = _seconds(undone.remembered["timeline"]["moved"])
    first_old = seen.answers(version=good).first_answer(int(moved * 1e9))
    timeline = {
        "onset": onset,
        "alert": _seconds(alert["starts_at"]),
        "decision": _seconds(alert["decided_at"]),
        "first_old_answer": first_old.ended / 1e9 if first_old else None,
        "verified": verified,
    }
    return Rollback(
        service=service,
        release_run_id=undone.remembered["release_id"],
        run_id=undone.remembered["run_id"],
        alert=f"{alert['name']} ({alert['feed']})",
        bad_release_to_restored_ms=round((verified - onset) * 1000, 1),
        timeline={name: at and round(at, 3) for name, at in timeline.items()},
    )


def expect_restored(report: Report, undone: Undone, seen: Results, bad: str, good: str) -> None:
    """`seen` is all that was asked since the release of the bad version began."""
    live = undone.live["version"]
    report.expect(f"an alert rolls {bad} back to {good}", live == good, f"{live} is live")
    lost = [record for record in seen.failures if record.version != bad]
    report.expect(
        f"nobody but {bad} fails a request while that happens",
        not lost,
        f"{len(lost)} of {seen.requests} requests, {len(seen.failures) - len(lost)} by {bad}",
    )


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()
