"""`python -m gp_pipelines_tests.load --url http://127.0.0.1:PORT --out FILE`: a bounded load.

A process of its own, so that what it measures shares neither its interpreter nor its event loop.
"""

import argparse
import asyncio
import os
import resource
from collections.abc import Callable
from pathlib import Path

from gp_pipelines_tests.load.address import loopback
from gp_pipelines_tests.load.generator import Generator, Settings
from gp_pipelines_tests.load.log import LogReader, LogWriter
from gp_pipelines_tests.load.results import Results

HIGHEST_RATE = 1000.0
LONGEST_SECONDS = 3600.0
LONGEST_TIMEOUT = 60.0


def main() -> None:
    parser = argparse.ArgumentParser("gp_pipelines_tests.load", description=__doc__)
    parser.add_argument("--url", type=loopback, required=True, help="a loopback address")
    parser.add_argument("--out", type=Path, required=True, help="the log; must not exist yet")
    parser.add_argument("--rate", type=_up_to(HIGHEST_RATE), default=100.0, help="requests/s")
    parser.add_argument("--seconds", type=_up_to(LONGEST_SECONDS), default=60.0)
    parser.add_argument("--timeout", type=_up_to(LONGEST_TIMEOUT), default=5.0, help="seconds")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="ends when it has ended")
    given = parser.parse_args()
    if given.out.exists():
        parser.error(f"{given.out} exists already; results of two loads must not mix")
    _allow_open_connections(round(given.rate * given.timeout) + 100)
    settings = Settings(given.url, given.rate, given.seconds, given.timeout, given.parent)
    with LogWriter(given.out) as log:
        asyncio.run(Generator(settings, log).run())
    print(_summary(LogReader(given.out).read()))


def _up_to(most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"{text}: expected more than 0 and at most {most:g}")
        return value

    return number


def _allow_open_connections(wanted: int) -> None:
    """With a service that hangs, as many are open as are sent until the timeout (macOS: 256)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _summary(results: Results) -> str:
    lines = [
        f"{results.requests} requests at {results.rate:.1f}/s, {results.failed} failed, "
        f"versions {dict(results.answered_by_version)}, "
        f"{results.closed_idle} idle connections closed by the server",
        f"CPU {results.cpu_share:.1%} of one core, at most {results.latest_ms:.1f} ms late",
    ]
    if results.requests:
        percentiles = (f"p{p:g} {results.latency_ms(p):.1f} ms" for p in (50, 95, 99, 100))
        lines.append("latency " + ", ".join(percentiles))
    return "\n".join([*lines, *results.examples()])


if __name__ == "__main__":
    main()
