"""The append-only file between the generator and those who read its results.

One JSON array a line, its first element saying what it is. Every line is one `write` to a file
opened with O_APPEND, so two processes may append (the generator records, its user marks), it can
be read at any time, and a kill costs at most the end of the last line, which readers leave out.
"""

import json
import os
from dataclasses import astuple
from pathlib import Path
from typing import Any, Self

from gp_pipelines_tests.load.record import Connection, Failure, Mark, Pulse, Record
from gp_pipelines_tests.load.results import Results

KINDS: dict[type, str] = {Record: "r", Mark: "m", Pulse: "p"}


class LogWriter:
    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, entry: Record | Mark | Pulse) -> None:
        line = json.dumps([KINDS[type(entry)], *astuple(entry)], separators=(",", ":"))
        os.write(self._file, line.encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LogReader:
    """Reads what was added since it last read, so that it may be asked often."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._records: list[Record] = []
        self._marks: list[Mark] = []
        self._pulses: list[Pulse] = []

    def read(self) -> Results:
        """Everything up to now. Raises OSError if there is no such file."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            added = file.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            self._add(json.loads(line))
        return Results(tuple(self._records), tuple(self._marks), tuple(self._pulses))

    def _add(self, entry: list[Any]) -> None:
        kind, *values = entry
        if kind == "r":
            values[-2] = Connection(values[-2])
            values[-1] = Failure(values[-1]) if values[-1] else None
            self._records.append(Record(*values))
        elif kind == "m":
            self._marks.append(Mark(*values))
        else:
            self._pulses.append(Pulse(*values))
