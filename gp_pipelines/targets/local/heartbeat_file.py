"""heartbeat.json: the sign of life of who holds the fence."""

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gp_pipelines.model import Heartbeat
from gp_pipelines.targets.local.files import write_atomically

_HEARTBEAT = TypeAdapter(Heartbeat)


def read(path: Path) -> Heartbeat | None:
    """None if there is none, or nothing that can be read.

    A living holder writes it again within seconds; a dead one must not be kept alive by garbage.
    """
    try:
        return _HEARTBEAT.validate_json(path.read_bytes(), strict=True)
    except (FileNotFoundError, ValidationError):
        return None


def renew(path: Path, run_id: str, fence: int) -> None:
    before = read(path)
    renewals = before.renewals + 1 if before else 1
    write_atomically(path, json.dumps(asdict(Heartbeat(run_id, fence, renewals))))
