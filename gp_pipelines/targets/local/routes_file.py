"""routes.json: one file that says where Envoy sends the entrance's traffic, and why.

The traffic record travels in the metadata of the routes, so both change in one rename. The
version of the file, `<revision>-<digest of the rest>`, is what Envoy tells that it has in force,
and shows what a person has edited. It is not compared with what this gp_pipelines would write:
an upgrade of it is no edit.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gp_pipelines.model import Color, TrafficRecord
from gp_pipelines.targets.local.document_digest import digest
from gp_pipelines.targets.local.envoy_routing import TRAFFIC_METADATA, cluster_name, route_config
from gp_pipelines.targets.record_json import UnreadableRecord, decode, encode

BEFORE_ANY_RECORD = "0"  # the version of the routes that `gp up` writes for a new service


@dataclass(frozen=True, slots=True)
class RoutesFile:
    """What stands in the file. `observed` and `edits` are as in `contract.Reading`."""

    record: TrafficRecord
    version: str
    observed: Color | None
    edits: tuple[str, ...]


def render(record: TrafficRecord) -> str:
    """The file that sends traffic to `record.live`, or answers 503 where nothing is."""
    color = record.live.color if record.live else None
    document = route_config(record.service, color, "", encode(record))
    document["version_info"] = f"{record.revision}-{digest(document)}"
    return json.dumps(document, indent=2) + "\n"


def parse(content: bytes, service: str) -> RoutesFile:
    """Raises `UnreadableRecord` if `content` is not what `render` wrote for `service`.

    Edited routes are read all the same, as long as the record is there.
    """
    if not content.strip():
        raise UnreadableRecord("it is empty")
    try:
        document = json.loads(content)
    except ValueError as error:
        raise UnreadableRecord(f"it is not JSON ({error})") from None
    try:
        version = str(document["version_info"])
        routes = document["resources"][0]
        metadata = routes["metadata"]["filter_metadata"][TRAFFIC_METADATA]
    except (KeyError, IndexError, TypeError):
        raise UnreadableRecord("it holds no traffic record") from None
    try:
        destinations = set(_destinations(routes["virtual_hosts"]))
    except (KeyError, TypeError, AttributeError):
        raise UnreadableRecord("it holds no routes that Envoy could take up") from None
    is_new = version == BEFORE_ANY_RECORD and metadata == {}
    record = TrafficRecord(service) if is_new else decode(metadata)
    if record.service != service:
        raise UnreadableRecord(f"its traffic record is that of {record.service}")
    observed = _observed(record, destinations)
    intact = is_new or version == f"{record.revision}-{digest(document)}"
    return RoutesFile(record, version, observed, _edits(record, observed, destinations, intact))


def _observed(record: TrafficRecord, destinations: set[str]) -> Color | None:
    """Where traffic goes. If it goes to both colors, the one that the record does not have live.

    Nothing that takes traffic may be removed: the record protects what it has live, this the other.
    """
    live = record.live.color if record.live else None
    colors = [color for color in Color if cluster_name(record.service, color) in destinations]
    return next((color for color in colors if color is not live), live if live in colors else None)


def _edits(
    record: TrafficRecord, observed: Color | None, destinations: set[str], intact: bool
) -> tuple[str, ...]:
    wanted = {cluster_name(record.service, record.live.color)} if record.live else set()
    if destinations != wanted:
        goes_to = " and ".join(sorted(destinations)) or "nothing (503)"
        recorded = record.live.describe() if record.live else "nothing"
        return (f"routes.json sends traffic to {goes_to}; {recorded} is recorded as live.",)
    if not intact:
        return ("routes.json is not as it was written: its routes or its record were edited.",)
    return ()


def _destinations(routes: Any) -> Iterator[str]:
    """The clusters that take traffic by these routes, wherever in them they are named."""
    if isinstance(routes, dict):
        if isinstance(routes.get("cluster"), str):
            yield routes["cluster"]
        for cluster in routes.get("weighted_clusters", {}).get("clusters", ()):
            if cluster.get("weight"):
                yield cluster["name"]
        routes = list(routes.values())
    if isinstance(routes, list):
        for each in routes:
            yield from _destinations(each)
