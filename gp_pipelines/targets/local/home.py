"""Where everything of the local target lies on disk: names of paths, and nothing else.

All state is under one directory: `GP_HOME`, or `var/` beside services.yaml.

    var/
      ports.json               the ports that were chosen, remembered for good
      supervisor/              supervisord's socket, its configuration, one file per program
      envoy/                   bootstrap, listeners and clusters; admin.sock (0600)
      postgres/                the embedded server's data and its password (0600)
      dagster/                 Dagster's home
      inbox/alerts.sqlite      the alerts that were sent to `gp webhook` (0600)
      webhook/                 its token and secret, where none are configured (0600), and logs/
      artifacts/<service>/     built versions
      backups/<service>/
      services/<service>/      the truth about one service:
        routes.json            the traffic record, and where Envoy sends the entrance's traffic
        routes.copy.json       its copy
        blue.json, green.json  the replicas behind each color
        heartbeat.json, lock
        ledger/<kind>/<key>.json
        slots/<slot>/          one slot: slot.json, environment (0600), logs/
"""

import os
from dataclasses import dataclass
from pathlib import Path

from gp_pipelines.model import Color


@dataclass(frozen=True, slots=True)
class ServicePaths:
    root: Path

    @property
    def routes(self) -> Path:
        return self.root / "routes.json"

    @property
    def copy(self) -> Path:
        return self.root / "routes.copy.json"

    def color(self, color: Color) -> Path:
        return self.root / f"{color}.json"

    @property
    def heartbeat(self) -> Path:
        return self.root / "heartbeat.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    @property
    def slots(self) -> Path:
        return self.root / "slots"

    @property
    def rehearsals(self) -> Path:
        return self.root / "rehearsals"


@dataclass(frozen=True, slots=True)
class Home:
    root: Path

    @classmethod
    def beside(cls, services_yaml: Path) -> "Home":
        configured = os.environ.get("GP_HOME")
        return cls(Path(configured).resolve() if configured else services_yaml.parent / "var")

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def supervisor(self) -> Path:
        return self.root / "supervisor"

    @property
    def envoy(self) -> Path:
        return self.root / "envoy"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def dagster(self) -> Path:
        return self.root / "dagster"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox" / "alerts.sqlite"

    @property
    def webhook(self) -> Path:
        return self.root / "webhook"

    def artifacts(self, service: str) -> Path:
        return self.root / "artifacts" / service

    def backups(self, service: str) -> Path:
        return self.root / "backups" / service

    def service(self, service: str) -> ServicePaths:
        return ServicePaths(self.root / "services" / service)
