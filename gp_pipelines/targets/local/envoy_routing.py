"""The files that decide where one service's traffic goes, as Envoy reads them (xDS v3, JSON).

Pure: what is rendered here is written elsewhere, by whoever may. A file takes effect when it is
renamed onto its path; Envoy watches for moves, and does not see a file that is written in
place. Each carries a `version_info`, by which Envoy tells what it has in force.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gp_pipelines.model import Color

RELEASE_HEADER = "x-gp-release"  # on each answer: the release whose replica gave it
TRAFFIC_METADATA = "gp_pipelines.traffic"
RELEASE_METADATA = "gp_pipelines"
_TYPE = "type.googleapis.com/envoy.config."


def cluster_name(service: str, color: Color) -> str:
    return f"{service}.{color}"


def stat_name(service: str, color: Color) -> str:
    """What a color is called in Envoy's statistics: a dot in a name would look like two names."""
    return f"{service}_{color}"


def route_config(
    service: str, color: Color | None, version_info: str, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """Send all of `service`'s traffic to `color`; with None, answer 503.

    `metadata` (the traffic record) is JSON that travels with the routes.
    """
    return {
        "version_info": version_info,
        "resources": [
            {
                "@type": f"{_TYPE}route.v3.RouteConfiguration",
                "name": service,
                "virtual_hosts": [virtual_host(service, color)],
                "metadata": {"filter_metadata": {TRAFFIC_METADATA: dict(metadata)}},
            }
        ],
    }


def virtual_host(service: str, color: Color | None) -> dict[str, Any]:
    """All paths of all host names to `color`."""
    action = _nothing(service) if color is None else _to(color, service)
    routes = [{"match": {"prefix": "/"}, **action}]
    return {"name": service, "domains": ["*"], "routes": routes}


def endpoints(
    service: str, color: Color, release_id: str | None, ports: Sequence[int], version_info: str
) -> dict[str, Any]:
    """The replicas behind a color: `ports` on 127.0.0.1, all of one release."""
    return {
        "version_info": version_info,
        "resources": [
            {
                "@type": f"{_TYPE}endpoint.v3.ClusterLoadAssignment",
                "cluster_name": cluster_name(service, color),
                "endpoints": [{"lb_endpoints": [_endpoint(port, release_id) for port in ports]}],
            }
        ],
    }


def _endpoint(port: int, release_id: str | None) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    release = {"release": release_id} if release_id else {}
    return {
        "endpoint": {"address": address},
        "metadata": {"filter_metadata": {RELEASE_METADATA: release}},
    }


def _nothing(service: str) -> dict[str, Any]:
    text = f"{service}: nothing is released here yet.\n"
    return {"direct_response": {"status": 503, "body": {"inline_string": text}}}


def _to(color: Color, service: str) -> dict[str, Any]:
    return {
        "route": {
            "cluster": cluster_name(service, color),
            "timeout": "0s",  # the default cuts a request off after 15 s
            "retry_policy": {
                # Only where the replica cannot have begun: anything else might be done twice.
                "retry_on": "connect-failure,refused-stream,reset-before-request",
                "num_retries": 3,
                "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.1s"},
                "retry_host_predicate": [
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.retry.host"
                            ".previous_hosts.v3.PreviousHostsPredicate"
                        },
                    }
                ],
                "host_selection_retry_max_attempts": 5,
            },
        },
        "response_headers_to_add": [
            {
                "header": {
                    "key": RELEASE_HEADER,
                    "value": f"%UPSTREAM_METADATA({RELEASE_METADATA}:release)%",
                },
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
    }
