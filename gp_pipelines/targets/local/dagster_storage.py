"""Dagster's databases, made before anything opens them.

Webserver, daemon and their code servers start at the same time. On a new home each would make the
databases, and alembic's table of versions may get two rows by that: then no code can be loaded.
"""

import subprocess
import sys
from collections.abc import Mapping

from gp_pipelines.errors import TargetUnavailable, redact
from gp_pipelines.targets.local.home import Home

SECONDS = 60.0
FILES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
MAKE = "from dagster import DagsterInstance; DagsterInstance.get()"
LONGEST_QUOTE = 1000


def make_storage(home: Home, environment: Mapping[str, str]) -> None:
    """`environment` is the webserver's. Raises `TargetUnavailable` if they can't be made."""
    if all((home.dagster / file).exists() for file in FILES):
        return
    try:
        subprocess.run(
            [sys.executable, "-c", MAKE],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise TargetUnavailable(
            f"Dagster's databases in {home.dagster} cannot be made: "
            f"{redact(str(said)).strip()[-LONGEST_QUOTE:]}",
            state="Dagster was not started.",
            advice="See to it that the directory can be written to; then run `gp up` again.",
        ) from None
