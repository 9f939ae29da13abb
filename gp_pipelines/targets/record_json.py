"""The traffic record as JSON, the same on every target.

What is read back decides where users go, so nothing in it is guessed: an unknown field, another
type, a time without its zone or a format of another version is refused.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gp_pipelines.model import TrafficRecord

FORMAT = 1  # counted up when records are written that an older gp_pipelines would misread

_RECORD = TypeAdapter(TrafficRecord)


class UnreadableRecord(ValueError):
    """What was read is not a traffic record; the message says what is wrong with it."""


def encode(record: TrafficRecord) -> dict[str, Any]:
    """`record` as a JSON object, with the number of its format."""
    return {"format": FORMAT, "record": _RECORD.dump_python(record, mode="json")}


def decode(document: Any) -> TrafficRecord:
    """The record that `encode` made `document` of. Raises `UnreadableRecord`."""
    if not isinstance(document, Mapping) or "record" not in document:
        raise UnreadableRecord("it holds no traffic record")
    if document.get("format") != FORMAT:
        raise UnreadableRecord(
            f"its traffic record has format {document.get('format')!r}, and this gp_pipelines "
            f"reads format {FORMAT}"
        )
    try:
        content = json.dumps(document["record"])
        record = _RECORD.validate_json(content, strict=True, extra="forbid")
    except ValidationError as error:
        raise UnreadableRecord(f"its traffic record is not valid: {_problems(error)}") from None
    if not all(_has_zone(time) for time in _times(record)):
        raise UnreadableRecord("its traffic record has a time without a zone")
    return record


def _problems(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)


def _times(record: TrafficRecord) -> list[datetime]:
    times = (
        record.switched_at,
        record.confirm_by,
        *(kept.deadline for kept in record.kept),
        *(rollback.at for rollback in record.automatic),
    )
    return [time for time in times if time is not None]


def _has_zone(time: datetime) -> bool:
    return time.utcoffset() is not None
