"""What Dagster adds to a release, against a plain script of the same steps on the same target."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gp_pipelines.cli.dagster_api import DagsterApi
from gp_pipelines.cli.run_view import ENDED
from gp_pipelines_tests.bench.figure import Progress, Value
from gp_pipelines_tests.bench.project import SERVICE, must, running_project
from gp_pipelines_tests.demo.project import DemoProject

PAIRS = 12
CHECKOUT = Path(__file__).parents[2]
POLL_SECONDS = 0.1  # less would take the run's processor from it
RELEASE_SECONDS = 120


def overhead(progress: Progress, pairs: int = PAIRS) -> dict[str, Value]:
    """The difference of the medians, in seconds; the two take turns, and in turn release v1.

    Through Dagster: from the launch request until the webserver tells that the run has ended. The
    script: from the start of its process to its end, so that it pays for a Python of its own and
    its imports, as any script would. Raises RuntimeError.
    """
    through_dagster, by_script = [], []
    with running_project(progress) as project:
        api = DagsterApi(str(must(project.gp("status"))["dagster_url"]))
        for pair in range(1, pairs + 1):
            if pair % 2:
                through_dagster.append(_by_dagster(api, "v1"))
                by_script.append(_by_script(project, "v2"))
            else:
                by_script.append(_by_script(project, "v1"))
                through_dagster.append(_by_dagster(api, "v2"))
            progress(
                f"pair {pair}/{pairs}: {through_dagster[-1]:.2f} s through Dagster, "
                f"{by_script[-1]:.2f} s by a script"
            )
    more = statistics.median(through_dagster) - statistics.median(by_script)
    return {"release.overhead_s": Value(round(more, 2), pairs)}


def _by_dagster(api: DagsterApi, version: str) -> float:
    form = {"redeploy": False, "allow_downgrade": True, "manual": False}
    began = time.monotonic()
    run_id = api.launch("release", {"service": SERVICE, "version": version, **form}, {})
    cursor: str | None = None
    while True:
        news: Any = api.events(run_id, cursor)
        cursor = news.cursor
        if news.status in ENDED:
            break
        if time.monotonic() - began > RELEASE_SECONDS:
            raise RuntimeError(f"run {run_id} did not end in {RELEASE_SECONDS} s")
        time.sleep(POLL_SECONDS)
    if news.status != "SUCCESS":
        raise RuntimeError(f"run {run_id} ended as {news.status}")
    return time.monotonic() - began


def _by_script(project: DemoProject, version: str) -> float:
    module = "gp_pipelines_tests.bench.plain_release"
    home = {"GP_SERVICES": str(project.services), "GP_HOME": str(project.root / "var")}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", module, SERVICE, version],
        cwd=CHECKOUT,
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        check=False,
        timeout=RELEASE_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"the script failed: {done.stderr.strip()[-500:]}")
    return time.monotonic() - began
