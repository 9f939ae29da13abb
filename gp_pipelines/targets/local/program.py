"""One supervised program: what is run, and how its state is told."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Program:
    """A process that is kept running.

    `environment` comes on top of the few harmless variables that the supervisor itself has; it may
    hold secrets, which are kept in a file of mode 0600 and are on no command line.
    """

    name: str  # letters, digits, '-', '_' and '.'; unique in one home
    command: tuple[str, ...]
    directory: Path
    log: Path  # its output; three files of 10 MB at most
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str | None = None  # None: the caller's
    stop_wait: float = 10.0  # seconds between the signal to end and the kill
    stop_signal: Literal["TERM", "INT"] = "TERM"

    def to_json(self) -> str:
        """The definition as it is stored, with its own digest."""
        fields: dict[str, Any] = {
            **asdict(self),
            "environment": dict(self.environment),
            "directory": str(self.directory),
            "log": str(self.log),
        }
        text = json.dumps(fields, sort_keys=True)
        return json.dumps({**fields, "digest": hashlib.sha256(text.encode()).hexdigest()}, indent=2)

    @classmethod
    def read(cls, path: Path) -> "Program | None":
        """The stored definition, None if there is none that can be read."""
        try:
            fields = json.loads(path.read_text())
            del fields["digest"]
            return cls(
                **{
                    **fields,
                    "command": tuple(fields["command"]),
                    "directory": Path(fields["directory"]),
                    "log": Path(fields["log"]),
                }
            )
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True, slots=True)
class ProgramState:
    """How a program is now."""

    name: str
    running: bool
    pid: int | None
    restarts: int  # since it was put
    since: datetime | None  # of the present or the last run
    detail: str  # for people: running, how it ended last, why it does not start
