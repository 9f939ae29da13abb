"""The one place that knows which drivers stand behind the contracts."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gp_pipelines.alerts.contract import Feed
from gp_pipelines.artifacts.contract import Artifacts
from gp_pipelines.databases.contract import Database
from gp_pipelines.errors import ConfigInvalid
from gp_pipelines.platform import Platform
from gp_pipelines.services import SecretSource, Service, Services, load_services
from gp_pipelines.targets.contract import Ledger
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
        target = LocalTarget(self.home, service)
        database = self._database(service, artifacts, target.ledger) if service.database else None
        return Platform(
            service=service,
            target=target,
            artifacts=artifacts,
            database=database,
            read_secret=lambda name, source: _secret(service, name, source),
        )

    def _database(self, service: Service, artifacts: Artifacts, ledger: Ledger) -> Database:
        from gp_pipelines.databases import location
        from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS
        from gp_pipelines.databases.postgres import PostgresDatabase
        from gp_pipelines.targets.local.postgres import EmbeddedPostgres
        from gp_pipelines.targets.local.postgres_scratch import scratch

        embedded = EmbeddedPostgres(self.home)
        own = _database_url(service, embedded.url)
        is_embedded = service.database is not None and service.database.url == "embedded"

        def url() -> str:
            """Of the database that the data are in now: the service's own, or a restored one."""
            moved = location.found(ledger)
            return location.url_at(own(), moved.name) if moved else own()

        return PostgresDatabase(
            service,
            artifacts,
            url=url,
            secrets=lambda: {
                name: _secret(service, name, source) for name, source in service.secrets.items()
            },
            directory=self.home.backups(service.name),
            bin=embedded.bin,
            scratch=lambda: scratch(self.home),
            shadow=_shadow_server(service)
            or (lambda: scratch(self.home, SERVER_SETTINGS, for_programs=True)),
            admin=embedded.superuser_url if is_embedded else None,
            room=lambda: disk_usage(self.home.postgres).free if is_embedded else None,
        )


@contextmanager
def scratch_apart(settings: tuple[str, ...]) -> Iterator[str]:
    """A PostgreSQL server for a command that needs no services.yaml: its URL as superuser.

    Nothing of it is left. Raises `TargetUnavailable` if it cannot be started.
    """
    from gp_pipelines.targets.local.postgres_place import remove_place
    from gp_pipelines.targets.local.postgres_scratch import scratch

    with TemporaryDirectory(prefix="gp-") as directory:
        Path(directory).chmod(0o711)  # the server may be another user's, and has to enter
        home = Home(Path(directory))
        try:
            with scratch(home, settings) as url:
                yield url
        finally:
            remove_place(home)


def postgres_program(name: str) -> Path:
    """One of the embedded PostgreSQL's programs (pg_dump, …)."""
    from gp_pipelines.targets.local.postgres_programs import bin_directory

    return bin_directory() / name


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


def _shadow_server(service: Service) -> Callable[[], AbstractContextManager[str]] | None:
    """The one that services.yaml names, if it does."""
    source = service.database.shadow if service.database else None
    if source is None:
        return None
    return lambda: nullcontext(_variable(source, f"the URL of {service.name}'s shadow server"))


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
