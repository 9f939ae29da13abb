"""What is recorded of the last start of a supervised program, in home.supervisor/run/.

supervisord knows its children only while it lives; this outlives it.
"""

import json
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gp_pipelines.targets.local.processes import ProcessId

LASTING_SECONDS = 30.0  # a run of that length was none that failed at its start


@dataclass(frozen=True, slots=True)
class Run:
    """One start of a program, and how often it has been started with that definition."""

    process: ProcessId
    digest: str  # of the definition that it was started with
    at: float  # seconds since the epoch
    starts: int
    early_ends: int  # runs in a row, before this one, that ended early
    stop_wait: float
    stop_signal: str

    @classmethod
    def starting(cls, before: "Run | None", program: Mapping[str, Any]) -> "Run":
        """This very process, as the next run of `program`."""
        if before is not None and before.digest != program["digest"]:
            before = None
        return cls(
            process=ProcessId.own(),
            digest=program["digest"],
            at=time.time(),
            starts=1 if before is None else before.starts + 1,
            early_ends=0 if before is None else before.early_ends_now(),
            stop_wait=program["stop_wait"],
            stop_signal=program["stop_signal"],
        )

    @classmethod
    def read(cls, path: Path) -> "Run | None":
        try:
            found = json.loads(path.read_text())
            return cls(**{**found, "process": ProcessId(**found["process"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None  # never started, or a file that somebody edited: nothing is known

    def write(self, path: Path) -> None:
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(asdict(self)))
        beside.replace(path)

    def is_alive(self) -> bool:
        return self.process.is_alive()

    def early_ends_now(self) -> int:
        """How many runs in a row ended early, counting this one, which has ended."""
        return 0 if time.time() - self.at >= LASTING_SECONDS else self.early_ends + 1

    def end(self) -> None:
        """Ask the process to end, and kill it when its time is over."""
        self.process.end(self.stop_wait, signal.Signals[f"SIG{self.stop_signal}"])
