"""Two audiences: people read the terminal, scripts get one JSON object on stdout (`--json`)."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from gp_pipelines.errors import ConfigInvalid, GpError

people = Console(highlight=False)
progress = Console(stderr=True, highlight=False)

DONE, FAILED, WRONG_USAGE = 0, 1, 2


def say(line: str) -> None:
    """Progress: on stderr, so that stdout is the result's alone. A line stays a line in a log."""
    progress.print(line, markup=False, soft_wrap=True)


def give(result: Mapping[str, Any], as_json: bool, text: Any = None) -> None:
    """The command's result: the object, or `text` (anything that rich can print) for people."""
    if as_json:
        sys.stdout.write(json.dumps(result, indent=2, default=str) + "\n")
    elif text is not None:
        people.print(text)


@contextmanager
def exit_codes(as_json: bool) -> Iterator[None]:
    """Expected errors as one clear message, and the exit codes that scripts rely on."""
    try:
        yield
    except GpError as error:
        _tell(error, as_json)
        raise typer.Exit(WRONG_USAGE if isinstance(error, ConfigInvalid) else FAILED) from None


def _tell(error: GpError, as_json: bool) -> None:
    progress.print(Text.assemble(("✗", "bold red"), " ", error.what), soft_wrap=True)
    for part in (error.state, error.advice):
        if part:
            say(f"  {part}")
    if as_json:
        give({"error": error.what, "state": error.state, "advice": error.advice}, as_json)
