"""Envoy's own files: the bootstrap, the listeners and the clusters of all services.

Made from services.yaml and the ports alone, so they may be written again at any time. What moves
traffic is elsewhere (`envoy_routing`); listeners and clusters only point to those files.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from gp_pipelines.model import Color
from gp_pipelines.services import Service
from gp_pipelines.targets.local.envoy_routing import cluster_name, stat_name, virtual_host

_TYPE = "type.googleapis.com/envoy."

# Requests, connections and retries that a cluster may have at once. Envoy's own limit of 1024 is
# there to protect a fleet; here it would only refuse requests that the replicas could take.
MOST_AT_ONCE = 100_000


def bootstrap(admin_socket: Path, listeners: Path, clusters: Path) -> dict[str, Any]:
    return {
        "node": {"id": "gp-pipelines", "cluster": "gp-pipelines"},
        "admin": {"address": {"pipe": {"path": str(admin_socket), "mode": 0o600}}},
        "dynamic_resources": {
            "lds_config": _watched(listeners),
            "cds_config": _watched(clusters),
        },
    }


def entrance_listener(service: Service, port: int, routes: Path) -> dict[str, Any]:
    """Users' address: its routes are the watched file that a switch replaces."""
    rds = {"route_config_name": service.name, "config_source": _watched(routes)}
    return _listener(service.name, port, {"rds": rds, "stat_prefix": service.name})


def preview_listener(service: Service, color: Color, port: int) -> dict[str, Any]:
    """The own address of a color, live or idle."""
    name = cluster_name(service.name, color)
    hosts = [virtual_host(service.name, color)]
    routes = {"name": name, "virtual_hosts": hosts}
    return _listener(
        name, port, {"route_config": routes, "stat_prefix": stat_name(service.name, color)}
    )


def cluster(service: Service, color: Color, endpoints: Path) -> dict[str, Any]:
    """The replicas of a color, named by its watched file and checked every second."""
    name = cluster_name(service.name, color)
    return {
        "@type": f"{_TYPE}config.cluster.v3.Cluster",
        "name": name,
        "alt_stat_name": stat_name(service.name, color),
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _watched(endpoints)},
        "connect_timeout": "2s",
        "lb_policy": "LEAST_REQUEST",
        # Without it, a replica taken out of the file gets requests as long as it is healthy.
        "ignore_health_on_host_removal": True,
        "common_lb_config": {
            # Were all replicas unhealthy, asking them is better than answering 503 unasked.
            "healthy_panic_threshold": {"value": 1}
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": MOST_AT_ONCE,
                    "max_pending_requests": MOST_AT_ONCE,
                    "max_requests": MOST_AT_ONCE,
                    "max_retries": MOST_AT_ONCE,
                }
            ]
        },
        "health_checks": [_health_check(service)],
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                # Below what services keep an idle connection open for (75 s): a request must not
                # meet the replica's closing of the connection that it is sent on.
                "common_http_protocol_options": {"idle_timeout": "30s"},
            }
        },
    }


def document(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """A file of listeners or clusters, with a version by which Envoy tells that it is in force."""
    content = json.dumps(resources, sort_keys=True).encode()
    return {"version_info": hashlib.sha256(content).hexdigest()[:16], "resources": resources}


def _health_check(service: Service) -> dict[str, Any]:
    return {
        "http_health_check": {"path": service.health, "host": service.name},
        "timeout": "2s",
        "interval": "1s",
        "no_traffic_interval": "1s",
        "unhealthy_threshold": 3,
        "healthy_threshold": 1,
    }


def _listener(name: str, port: int, routes: dict[str, Any]) -> dict[str, Any]:
    connection_manager = {
        "@type": f"{_TYPE}extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        **routes,
        "use_remote_address": True,
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "0s",  # the default cuts a silent stream off after 5 minutes
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{_TYPE}extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            }
        ],
    }
    return {
        "@type": f"{_TYPE}config.listener.v3.Listener",
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        # Else a second Envoy of the same user could listen on the same port, and nobody notices.
        "enable_reuse_port": False,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": connection_manager,
                    }
                ]
            }
        ],
    }


def _watched(path: Path) -> dict[str, Any]:
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}
