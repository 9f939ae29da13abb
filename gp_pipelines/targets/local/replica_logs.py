"""What a slot's replicas have printed: one bounded log each, whose last lines people want."""

from collections.abc import Sequence
from pathlib import Path

from gp_pipelines.errors import redact

TAIL_BYTES = 256 * 1024


def log_path(directory: Path, n: int) -> Path:
    """The log of replica `n` of the slot in `directory`; the supervisor bounds it."""
    return directory / "logs" / f"{n}.log"


def last_lines(log: Path, lines: int, secrets: Sequence[str] = ()) -> str:
    """Without the given secrets, and without what looks like one."""
    older = log.with_name(f"{log.name}.1")  # by now, if the log has just been begun again
    found = _tail(log)
    if len(found) < lines:
        found = _tail(older) + found
    return redact("\n".join(found[-lines:]), tuple(secrets))


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            start = max(0, log.stat().st_size - TAIL_BYTES)
            file.seek(start)
            found = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return found[1:] if start else found  # the first line is cut
