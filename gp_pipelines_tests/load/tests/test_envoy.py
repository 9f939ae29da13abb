"""Through a real Envoy: nothing is lost while nothing is wrong, and what it loses is counted."""

import json
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gp_pipelines_tests.load import Connection, Failure, Load, Results
from gp_pipelines_tests.load.tests.service import Fault, Service

MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


@contextmanager
def envoy_before(port: int, directory: Path) -> Iterator[str]:
    """An Envoy in front of 127.0.0.1:`port`; yields its URL."""
    config = directory / "envoy.json"
    admin = directory / "admin"
    config.write_text(json.dumps(_config(port)))
    command = [
        str(Path(sysconfig.get_path("scripts")) / "envoy"),
        "-c",
        str(config),
        "--disable-hot-restart",
    ]
    command += ["--concurrency", "1", "--admin-address-path", str(admin)]
    with (directory / "envoy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{_listening_port(admin)}"
    finally:
        process.kill()
        process.wait()


def _listening_port(admin: Path) -> int:
    deadline = time.monotonic() + 30
    while True:
        try:
            url = f"http://{admin.read_text()}/listeners?format=json"
            with urllib.request.urlopen(url) as answer:
                (status,) = json.load(answer)["listener_statuses"]
            return int(status["local_address"]["socket_address"]["port_value"])
        except (OSError, ValueError, KeyError):
            assert time.monotonic() < deadline, "Envoy did not start"
            time.sleep(0.05)


def _config(port: int) -> dict[str, object]:
    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    endpoint = {"endpoint": {"address": address(port)}}
    cluster = {
        "name": "service",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "service",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "service"}}]
    manager = {
        "@type": MANAGER,
        "stat_prefix": "entrance",
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    listener = {"name": "entrance", "address": address(0), "filter_chains": [chain]}
    return {
        "admin": {"address": address(0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def through_envoy(service: Service, directory: Path) -> Results:
    """What at least 300 requests through Envoy came to."""
    with envoy_before(service.port, directory) as url, Load(url, directory / "log") as load:
        deadline = time.monotonic() + 60
        while load.results().requests < 300:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return load.stop()


def test_nothing_is_lost_while_nothing_is_wrong(tmp_path: Path) -> None:
    with Service() as service:
        results = through_envoy(service, tmp_path)
    assert results.failed == 0, results.examples()
    assert results.closed_idle == 0
    assert results.answered_by_version == {"v1": results.requests}
    assert results.answers(connection=Connection.KEPT).requests >= 100
    assert sorted(service.seen) == sorted(record.number for record in results.records)


def test_what_envoy_answers_for_a_broken_service_counts(tmp_path: Path) -> None:
    with Service(lambda number: Fault.RESET if number % 10 == 3 else None) as service:
        results = through_envoy(service, tmp_path)
    assert {record.number for record in results.failures} == {
        record.number for record in results.records if record.number % 10 == 3
    }
    assert results.failed_by_kind == {Failure.SERVER_ERROR: results.failed}
    assert results.failed_by_version == {None: results.failed}
