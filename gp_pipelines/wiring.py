"""The one place that knows which drivers stand behind the contracts."""

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gp_pipelines.alerts.contract import Feed
from gp_pipelines.artifacts.contract import Artifacts
from gp_pipelines.databases.contract import Database
from gp_pipelines.errors import ConfigInvalid
from gp_pipelines.platform import Platform
from gp_pipelines.services import SecretSource, Service, Services, load_services
from gp_pipelines.targets.local.home import Home

if TYPE_CHECKING:
    from gp_pipelines.alerts.inbox import Inbox


def services_file() -> Path:
    """`GP_SERVICES`, or services.yaml in the working directory."""
    return Path(os.environ.get("GP_SERVICES", "services.yaml")).resolve()


class Platforms:
    """The platform of each service of a services.yaml, opened when it is first asked for."""

    def __init__(self, services: Services, home: Home) -> None:
        self.services = services
        self.home = home
        self._opened: dict[str, Platform] = {}

    @classmethod
    def load(cls) -> "Platforms":
        """From the environment. Raises `ConfigInvalid`."""
        path = services_file()
        return cls(load_services(path), Home.beside(path))

    def __getitem__(self, name: str) -> Platform:
        """Raises `ConfigInvalid` for an unknown service."""
        service = self.services[name]
        if name not in self._opened:
            self._opened[name] = self._open(service)
        return self._opened[name]

    @cached_property
    def inbox(self) -> "Inbox":
        """Of the alerts that are sent to `gp webhook`, whichever service they are for."""
        from sqlalchemy import URL

        from gp_pipelines.alerts.inbox import Inbox

        return Inbox(URL.create("sqlite", database=str(self.home.inbox)))

    def feeds(self, name: str) -> tuple[Feed, ...]:
        """New feeds of the alerts about one service. Apart from its platform: most need none."""
        from gp_pipelines.alerts.alertmanager import AlertmanagerFeed
        from gp_pipelines.alerts.inbox import InboxFeed
        from gp_pipelines.alerts.probe import ProbeFeed

        service = self.services[name]
        found: list[Feed] = [InboxFeed(self.inbox, name)]
        if service.alerts.probe is not None:
            found.append(ProbeFeed(service, self[name].target))
        if service.alerts.alertmanager is not None:
            found.append(AlertmanagerFeed(service, _alertmanager_token(service)))
        return tuple(found)

    def _open(self, service: Service) -> Platform:
        # The drivers are imported here: loading the definitions must not wait for them.
        from gp_pipelines.artifacts.wheel import WheelArtifacts
        from gp_pipelines.targets.local.target import LocalTarget

        artifacts = WheelArtifacts(service, self.home.artifacts(service.name))
        return Platform(
            service=service,
            target=LocalTarget(self.home, service),
            artifacts=artifacts,
            database=self._database(service, artifacts) if service.database else None,
            read_secret=lambda name, source: _secret(service, name, source),
        )

    def _database(self, service: Service, artifacts: Artifacts) -> Database:
        from gp_pipelines.databases.postgres import PostgresDatabase
        from gp_pipelines.targets.local.postgres import EmbeddedPostgres
        from gp_pipelines.targets.local.postgres_scratch import scratch

        embedded = EmbeddedPostgres(self.home)
        return PostgresDatabase(
            service,
            artifacts,
            url=_database_url(service, embedded.url),
            secrets=lambda: {
                name: _secret(service, name, source) for name, source in service.secrets.items()
            },
            directory=self.home.backups(service.name),
            bin=embedded.bin,
            scratch=lambda: scratch(self.home),
        )


def _secret(service: Service, name: str, source: SecretSource) -> str:
    """Raises `ConfigInvalid` where it is missing."""
    return _variable(source, f"{service.name}'s secret {name}")


def _alertmanager_token(service: Service) -> Callable[[], str] | None:
    alertmanager = service.alerts.alertmanager
    source = alertmanager.token if alertmanager else None
    if source is None:
        return None
    return lambda: _variable(source, f"the token of {service.name}'s Alertmanager")


def _database_url(service: Service, embedded: Callable[[str], str]) -> Callable[[], str]:
    assert service.database is not None
    source = service.database.url
    if isinstance(source, SecretSource):
        return lambda: _variable(source, f"{service.name}'s database URL")
    return lambda: embedded(service.name)


def _variable(source: SecretSource, what: str) -> str:
    try:
        return os.environ[source.env]
    except KeyError:
        raise ConfigInvalid(
            f"{what} should be in the environment variable {source.env}, which is not set.",
            state="Nothing was changed.",
            advice=f"Set {source.env} and run `gp up` again, from the same shell: it passes on "
            "to Dagster what services.yaml names.",
        ) from None
