"""`python -m gp_pipelines_tests.bench [--area release]`: measure, write var/bench/<area>.json.

Exit code 0 means that everything was measured, whether or not the goals were reached: a missed
figure is a result, and whoever wants to be stopped by one reads `met` in the file (noise on a
shared machine is no reason to fail a build that is right). 1 means that something could not be
measured; the file says what. 2 is wrong usage.
"""

import argparse
import signal
import sys
from pathlib import Path

from rich.console import Console

from gp_pipelines.targets.local.home import Home
from gp_pipelines_tests.bench import database, release, rollback
from gp_pipelines_tests.bench.figure import Measurement, take
from gp_pipelines_tests.bench.machine import machine
from gp_pipelines_tests.bench.report import table, write

AREAS = {
    "release": release.MEASUREMENTS,
    "rollback": rollback.MEASUREMENTS,
    "database": database.MEASUREMENTS,
}
CHECKOUT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser("gp_pipelines_tests.bench", description=__doc__)
    parser.add_argument("--area", choices=AREAS, help="only this one")
    area = parser.parse_args().area
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    directory = Home.beside(CHECKOUT / "services.yaml").root / "bench"
    wanted = [area] if area else list(AREAS)
    measured = [bench(name, AREAS[name], directory) for name in wanted]
    return 0 if all(measured) else 1


def bench(area: str, measurements: tuple[Measurement, ...], directory: Path) -> bool:
    """Whether everything could be measured."""
    progress = Console(stderr=True)
    facts = machine()
    results = take(measurements, lambda line: progress.print(line, markup=False))
    write(directory / f"{area}.json", results, facts)
    Console().print(table(area, results))
    return all(result.value is not None for result in results)


if __name__ == "__main__":
    sys.exit(main())
