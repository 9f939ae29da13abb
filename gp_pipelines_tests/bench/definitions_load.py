"""How long Dagster waits for the project's definitions, in a new process as in each of its own.

Every run, code server and `dg` command pays for it, so an import at the wrong place shows here.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gp_pipelines_tests.bench.figure import Progress, Value

CHECKOUT = Path(__file__).parents[2]
RUNS = 11
TIMEOUT_SECONDS = 60

# What a code server does: import, build the repository, and every job in it. The clock is the
# system's monotonic one, which the parent process compares with its own.
PROGRAM = """
import importlib, sys, time
definitions = importlib.import_module(sys.argv[1]).defs()
definitions.get_repository_def().get_all_jobs()
print(time.monotonic_ns())
"""


def definitions_load(
    progress: Progress, module: str = "gp_pipelines.definitions", directory: Path = CHECKOUT
) -> dict[str, Value]:
    """Median seconds from the start of a process to loaded definitions, without a target.

    Raises RuntimeError with the reason if they do not load.
    """
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "GP_HOME": empty, "DAGSTER_HOME": empty}
        _load(module, directory, environment)  # not counted: compiles what was never imported
        seconds = []
        for run in range(1, RUNS + 1):
            seconds.append(_load(module, directory, environment))
            progress(f"load {run}/{RUNS}: {seconds[-1]:.2f} s")
    return {"definitions.load_s": Value(round(statistics.median(seconds), 3), RUNS)}


def _load(module: str, directory: Path, environment: dict[str, str]) -> float:
    started = time.monotonic_ns()
    loaded = subprocess.run(
        [sys.executable, "-c", PROGRAM, module],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    if loaded.returncode:
        reason = loaded.stderr.strip().splitlines() or [f"exit code {loaded.returncode}"]
        raise RuntimeError(f"{module} did not load: {reason[-1]}")
    return (int(loaded.stdout.split()[-1]) - started) / 1e9
