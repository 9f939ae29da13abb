"""routes.copy.json: the traffic record once more, from which lost routes are made again."""

import json
from contextlib import suppress
from pathlib import Path

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import TrafficRecord
from gp_pipelines.targets.local.files import write_atomically
from gp_pipelines.targets.record_json import UnreadableRecord, decode, encode


def age(record: TrafficRecord) -> tuple[int, int]:
    """What is higher in the newer one of two records."""
    return record.fence, record.revision


def read(path: Path, service: str) -> TrafficRecord | None:
    """None if there is none. Raises `TargetUnavailable` if it can't be read."""
    try:
        return _read(path, service)
    except FileNotFoundError:
        return None
    except (OSError, UnreadableRecord) as why:
        raise TargetUnavailable(
            f"{path} cannot be used: {why}.",
            state="It is only a copy: where traffic goes is not affected.",
            advice="The next change of the traffic record writes it again.",
        ) from None


def write_unless_newer(path: Path, record: TrafficRecord) -> None:
    """Replace the copy by `record`. One that can't be read is worth nothing, and is replaced."""
    present = None
    with suppress(FileNotFoundError, UnreadableRecord):
        present = _read(path, record.service)
    if present is None or age(present) <= age(record):
        write_atomically(path, json.dumps(encode(record), indent=2) + "\n")


def _read(path: Path, service: str) -> TrafficRecord:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise UnreadableRecord(f"it is not JSON ({error})") from None
    record = decode(document)
    if record.service != service:
        raise UnreadableRecord(f"its traffic record is that of {record.service}")
    return record
