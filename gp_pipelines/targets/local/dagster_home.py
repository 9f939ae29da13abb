"""Dagster's home: the project's dagster.yaml, and a storage that is whole before anybody uses it.

Webserver, daemon and their code servers would all set up a new storage at the same time, and trip
over one another (alembic then finds two heads in its version table). So one process does that
before them. It also shows whether Dagster takes the dagster.yaml at all.
"""

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gp_pipelines.errors import ConfigInvalid, redact
from gp_pipelines.targets.local.files import write_atomically, write_if_changed
from gp_pipelines.targets.local.home import Home

SET_UP = "from dagster import DagsterInstance\nwith DagsterInstance.get(): pass"
SET_UP_SECONDS = 120.0
LONGEST_QUOTE = 1000


def prepare_dagster_home(home: Home, project: Path, environment: Mapping[str, str]) -> None:
    """Raises `ConfigInvalid` for a dagster.yaml that is missing or wrong."""
    wanted = configuration(project)
    write_if_changed(home.dagster / "dagster.yaml", (project / "dagster.yaml").read_text())
    done = home.dagster / "set-up"
    has_storage = (home.dagster / "history").exists()
    if has_storage and done.exists() and done.read_text() == wanted:
        return
    try:
        subprocess.run(
            [sys.executable, "-c", SET_UP],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=SET_UP_SECONDS,
            cwd=home.dagster,
            env=dict(environment),
        )
    except subprocess.CalledProcessError as error:
        raise _wrong(project, _reason(error.stderr)) from None
    except subprocess.TimeoutExpired:
        raise _wrong(project, f"its storage was not set up within {SET_UP_SECONDS:g} s") from None
    write_atomically(done, wanted)


def configuration(project: Path) -> str:
    """A digest of what Dagster reads once, at its start. Raises `ConfigInvalid`."""
    content = b""
    for name in ("dagster.yaml", "workspace.yaml"):
        try:
            content += (project / name).read_bytes() + b"\0"
        except OSError as error:
            raise ConfigInvalid(
                f"{project / name} cannot be read: {error.strerror}.",
                state="Dagster was not started.",
                advice="Run `gp` in the project's directory, or `gp up --no-dagster`.",
            ) from None
    return hashlib.sha256(content).hexdigest()[:16]


def _wrong(project: Path, reason: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"Dagster cannot use {project / 'dagster.yaml'}: {reason}",
        state="Dagster was not started anew.",
        advice="Correct it; then run `gp up` again.",
    )


def _reason(traceback: str) -> str:
    """From the last line on that names an exception: those before it are where it came from."""
    lines = traceback.strip().splitlines()
    starts = [n for n, line in enumerate(lines) if line[:1].strip() and "Error" in line]
    return redact("\n".join(lines[starts[-1] if starts else -1 :]))[:LONGEST_QUOTE]
