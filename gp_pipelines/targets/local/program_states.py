"""How the programs are: from supervisord, from the record of their last start, and from its log."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gp_pipelines.targets.local.program import Program, ProgramState
from gp_pipelines.targets.local.program_run import Run

LOG_TAIL_BYTES = 256 * 1024
# "… WARN exited: name (exit status 3; not expected)", supervisor/process.py
ENDED = re.compile(r"(?:exited|stopped): (?P<name>\S+) \((?P<how>[^;)]*)")


def state_of(
    program: Program, info: Mapping[str, Any] | None, run: Run | None, how_it_ended: str
) -> ProgramState:
    """`info` is supervisord's answer to getProcessInfo, None if it is down or knows nothing."""
    alive = run is not None and run.is_alive()
    return ProgramState(
        name=program.name,
        running=alive,
        pid=run.process.pid if run and alive else None,
        restarts=run.starts - 1 if run else 0,
        since=datetime.fromtimestamp(run.at, UTC) if run else None,
        detail=_detail(info, run, alive, how_it_ended),
    )


def how_programs_ended(log: Path) -> dict[str, str]:
    """The last way in which each program ended, as far as supervisord's log goes back."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            tail = file.read().decode(errors="replace")
    except FileNotFoundError:
        return {}
    return {found["name"]: found["how"] for found in ENDED.finditer(tail)}


def _detail(info: Mapping[str, Any] | None, run: Run | None, alive: bool, how_it_ended: str) -> str:
    last = f"ended last time with {how_it_ended}" if how_it_ended else ""
    if alive and info is None:
        return "running, but not supervised: supervisord is down"
    if alive and run is not None and info is not None and info["pid"] not in (0, run.process.pid):
        return "running; outlived a supervisord: what it prints is lost until it is started again"
    if alive:
        return f"running; {last}" if run and run.starts > 1 and last else "running"
    if info is None:
        return "not running: supervisord is down"
    if info["statename"] in ("STOPPED", "STOPPING"):
        return "stopped"
    return f"is started again; {last}" if last else f"is being started {info['spawnerr']}".strip()
