"""`python -m gp_pipelines_tests.demo [--keep]`: exit code 0 only if every expectation held."""

import argparse
import sys
import time

from rich.console import Console

from gp_pipelines_tests.demo.project import CHECKOUT, DemoProject
from gp_pipelines_tests.demo.report import Report
from gp_pipelines_tests.demo.story import Say, tell

DIRECTORY = CHECKOUT / "var" / "demo"


def main() -> int:
    parser = argparse.ArgumentParser("gp_pipelines_tests.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything up at the end")
    keep = parser.parse_args().keep
    console = Console(stderr=True, highlight=False)
    began = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[bold]{time.monotonic() - began:5.1f} s[/]  {line}", soft_wrap=True)

    project, report = DemoProject(DIRECTORY / "project"), Report()
    project.make()
    try:
        tell(project, report, say)
    except RuntimeError as error:
        report.expect("the demo comes to its end", False, error)
    finally:
        report.write(DIRECTORY / "report.json")
        if keep:
            _say_what_is_up(project, say)
        else:
            project.gp("down")
    Console().print(report.drawn())
    say(f"the report: {(DIRECTORY / 'report.json').relative_to(CHECKOUT)}")
    return 0 if report.passed else 1


def _say_what_is_up(project: DemoProject, say: Say) -> None:
    _, status = project.gp("status")
    say(f"Dagster: {status['dagster_url']}")
    for service in status["services"]:
        say(f"{service['name']}: {service['entrance']}")
    where = project.root.relative_to(CHECKOUT)
    say(f"it stays up: cd {where} && ../../../.venv/bin/gp status; `gp down --purge` ends it")


if __name__ == "__main__":
    sys.exit(main())
