"""Start a step in a process of its own, and kill it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gp_pipelines_tests.databases.waiting import wait_until


@contextmanager
def run_to_be_killed(arguments: dict[str, Any], until: Callable[[], object]) -> Iterator[None]:
    """The body runs while a run stands at the point that `until` sees; then it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gp_pipelines_tests.databases.a_run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(arguments))
        process.stdin.close()
        wait_until(until, lambda: process.poll() is None)
        yield
    finally:
        process.kill()
        process.wait()
        print(process.stdout.read())
        process.stdout.close()
