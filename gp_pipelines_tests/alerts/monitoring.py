"""A real Prometheus and a real Alertmanager, with short times, which watch one number."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from gp_pipelines_tests.alerts.running_webhook import CREDENTIALS
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.targets.local.taken_ports import listening

PROGRAMS = ("prometheus", "prometheus-alertmanager")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]


@dataclass
class Number:
    """What the watched server exports as `failed_share`."""

    value: float = 0.0


@dataclass
class Alertmanager:
    url: str

    def fire(self, labels: dict[str, str]) -> None:
        """As Prometheus sends it."""
        now = datetime.now(UTC)
        alert = {
            "labels": labels,
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=10)).isoformat(),
        }
        self._post("alerts", [alert])

    def silence(self, **labels: str) -> None:
        now = datetime.now(UTC)
        matchers = [
            {"name": name, "value": value, "isRegex": False, "isEqual": True}
            for name, value in labels.items()
        ]
        silence = {
            "matchers": matchers,
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=10)).isoformat(),
            "createdBy": "a test",
            "comment": "known",
        }
        self._post("silences", silence)

    def _post(self, what: str, body: Any) -> None:
        httpx.post(f"{self.url}/api/v2/{what}", json=body, trust_env=False).raise_for_status()


@contextmanager
def alertmanager(directory: Path, webhook_port: int) -> Iterator[Alertmanager]:
    """It sends what fires to the webhook on that port."""
    directory.mkdir()
    receiver = {
        "url": f"http://127.0.0.1:{webhook_port}/webhook/alert",
        "send_resolved": True,
        "max_alerts": 0,
        "http_config": {
            "authorization": {"type": "Bearer", "credentials": CREDENTIALS.token},
        },
    }
    configuration = {
        "route": {
            "receiver": "gp",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1s",
        },
        "receivers": [{"name": "gp", "webhook_configs": [receiver]}],
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="DataCenterDown"'],
                "target_matchers": ['auto_rollback="true"'],
            }
        ],
    }
    file = _write(directory / "alertmanager.yml", configuration)
    with listening() as port:
        pass
    command = [
        "prometheus-alertmanager",
        f"--config.file={file}",
        f"--storage.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    url = f"http://127.0.0.1:{port}"
    with _running(command, directory / "log", f"{url}/-/ready"):
        yield Alertmanager(url)


@contextmanager
def prometheus(directory: Path, alertmanager: Alertmanager) -> Iterator[Number]:
    """A rule fires while the number is above 0.05."""
    directory.mkdir()
    number = Number()
    rule = {
        "alert": "HighErrorRate",
        "expr": "failed_share > 0.05",
        "labels": {"service": "api", "auto_rollback": "true"},
        "annotations": {"summary": "{{ $value }} of all requests fail"},
    }
    _write(directory / "rules.yml", {"groups": [{"name": "api", "rules": [rule]}]})
    with ExitStack() as stack:
        exporter = stack.enter_context(_exporting(number))
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "api", "static_configs": [{"targets": [exporter]}]}],
            "alerting": {
                "alertmanagers": [
                    {"static_configs": [{"targets": [alertmanager.url.removeprefix("http://")]}]}
                ]
            },
        }
        file = _write(directory / "prometheus.yml", configuration)
        with listening() as port:
            pass
        command = [
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        ready = f"http://127.0.0.1:{port}/-/ready"
        stack.enter_context(_running(command, directory / "log", ready))
        yield number


@contextmanager
def _exporting(number: Number) -> Iterator[str]:
    """Its address, without the scheme."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"failed_share {number.value}\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@contextmanager
def _running(command: list[str], log: Path, ready: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(_answers(process, log, ready), seconds=60, every=0.1)
        yield
    finally:
        process.kill()
        process.wait()


def _answers(process: subprocess.Popen[bytes], log: Path, url: str) -> Callable[[], bool]:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(url, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    return answers


def _write(file: Path, content: Any) -> Path:
    file.write_text(yaml.safe_dump(json.loads(json.dumps(content))))
    return file
