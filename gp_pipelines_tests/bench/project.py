"""A stack of the bench's own, with v1 and v2 of the sample service built, migrated and released."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gp_pipelines_tests.bench.figure import Progress
from gp_pipelines_tests.demo.project import DemoProject

SERVICE = "ghostpirates-api"
RETENTION_SECONDS = 3600  # no cleanup falls into a release that is timed
UNWATCHED: Mapping[str, Any] = {}


@contextmanager
def running_project(
    progress: Progress, alerts: Mapping[str, Any] = UNWATCHED
) -> Iterator[DemoProject]:
    """Up, with v2 live and nothing pending; purged afterwards. Raises RuntimeError."""
    with tempfile.TemporaryDirectory(prefix="gp-bench-") as root:
        project = DemoProject(Path(root) / "project", RETENTION_SECONDS, alerts)
        project.make()
        try:
            progress("starting a stack")
            must(project.gp("up"))
            for version in ("v1", "v2"):
                progress(f"releasing {version}, which is built now")
                must(project.gp("release", SERVICE, version))
            yield project
        finally:
            project.gp("down", "--purge")


def must(done: tuple[int, dict[str, object]]) -> dict[str, object]:
    code, said = done
    if code != 0:
        raise RuntimeError(str(said.get("error") or f"exit code {code}"))
    return said


def live(project: DemoProject) -> Any:
    """What `gp status` says of the service, with something live. Raises RuntimeError."""
    services: Any = must(project.gp("status", SERVICE))["services"]
    if services[0]["live"] is None:
        raise RuntimeError(f"nothing of {SERVICE} is live")
    return services[0]


def other(version: str) -> str:
    return "v1" if version == "v2" else "v2"
