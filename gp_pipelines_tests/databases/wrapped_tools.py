"""The real pg_dump and pg_restore with something done before or after them."""

import sys
from collections.abc import Callable
from pathlib import Path

from gp_pipelines_tests.databases.server import BIN


class WrappedTools:
    """Finds tools; those that were wrapped do what was asked for beside their work."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()

    @property
    def find(self) -> Callable[[str], Path]:
        return lambda name: next(p for p in (self._directory / name, BIN / name) if p.exists())

    def calls(self, name: str) -> str:
        """The argument lists that the tool was called with."""
        return (self._directory / f"{name}.calls").read_text()

    def wrap(self, name: str, *, before: str = "", after: str = "", version: str = "") -> None:
        """`before` and `after` are shell commands; `$dump` is the directory dumped into."""
        announce = f'echo "{name} (PostgreSQL) {version}"' if version else f'"{BIN / name}" "$@"'
        script = self._directory / name
        script.write_text(
            f"""#!/bin/sh
            if [ "$1" = --version ]; then {announce}; exit; fi
            echo "$@" >> {self._directory / name}.calls
            PATH="{BIN}:{Path(sys.executable).parent}:$PATH"
            for argument in "$@"; do
                case $argument in --file=*) dump=${{argument#--file=}};; esac
            done
            {before}
            "{BIN / name}" "$@" || exit
            {after}
            """
        )
        script.chmod(0o755)

    @staticmethod
    def run_python(source: str) -> str:
        """A shell command that runs `source`, with the dump's directory as sys.argv[1]."""
        assert "'" not in source
        return f'"{sys.executable}" -c \'{source}\' "$dump"'


def files(directory: Path) -> list[str]:
    """Everything in a directory that could be litter."""
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []
