"""blue.json and green.json: the replicas that stand behind a color, and who put them there.

Envoy's format has no place for remarks about a whole list of endpoints that may be empty, but its
version is free text: it holds the fence of the last writer, the slot, the release, and a digest of
the rest, which shows what a person has edited.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gp_pipelines.model import Color, Slot
from gp_pipelines.targets.local.document_digest import digest
from gp_pipelines.targets.local.envoy_routing import endpoints

BEFORE_ANY_SLOT = "0"  # the version of the endpoints that `gp up` writes for a new service


@dataclass(frozen=True, slots=True)
class ColorFile:
    """What stands in the file. `edits` is as in `contract.ColorReading`."""

    slot_name: str | None = None
    release_id: str | None = None
    fence: int = 0
    edits: tuple[str, ...] = ()


def render(service: str, color: Color, slot: Slot | None, ports: Sequence[int], fence: int) -> str:
    """The file that puts `slot`, whose replicas listen on `ports`, behind `color`."""
    release_id = slot.release_id if slot else None
    document = endpoints(service, color, release_id, ports, "")
    stamp = {
        "fence": fence,
        "slot": slot.name if slot else None,
        "release": release_id,
        "digest": digest(document),
    }
    return json.dumps({**document, "version_info": json.dumps(stamp)}, indent=2) + "\n"


def parse(content: bytes | None, color: Color) -> ColorFile:
    """A file that is missing or unreadable holds nothing that is known, and was edited.

    It must not keep anybody from writing it again: a rollback may need to.
    """
    if content is None:
        return ColorFile(edits=(f"{color}.json is gone.",))
    try:
        document = json.loads(content)
        if document["version_info"] == BEFORE_ANY_SLOT:
            return ColorFile(edits=_edits(color, not _has_endpoints(document)))
        stamp = json.loads(document["version_info"])
        return ColorFile(
            slot_name=stamp["slot"],
            release_id=stamp["release"],
            fence=int(stamp["fence"]),
            edits=_edits(color, stamp["digest"] == digest(document)),
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return ColorFile(edits=(f"{color}.json is not what was written: it cannot be read.",))


def _edits(color: Color, intact: bool) -> tuple[str, ...]:
    return () if intact else (f"{color}.json is not as it was written: its replicas were edited.",)


def _has_endpoints(document: dict[str, Any]) -> bool:
    return any(each["lb_endpoints"] for each in document["resources"][0]["endpoints"])
