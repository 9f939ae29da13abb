"""Which of the caller's environment variables reach what `gp up` starts, and no other does.

A variable that the caller does not have stays what it was at the last start: `gp up` may be run
from another shell.
"""

import os
from collections.abc import Iterable, Iterator, Mapping

from gp_pipelines.services import SecretSource, Service, Services
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.program import Program
from gp_pipelines.targets.local.supervisord import Supervisord

# Where people are told what happened, and where they reach Dagster; none needs to be set.
FOR_PEOPLE = (
    "GP_NOTIFY_WEBHOOK_URL",
    "GP_NOTIFY_SLACK_URL",
    "GP_NOTIFY_TEAMS_URL",
    "GP_DAGSTER_URL",
)
# What senders of alerts prove themselves with: without, they are made up.
FOR_SENDERS = ("GP_WEBHOOK_TOKEN", "GP_WEBHOOK_SECRET")

HOLDERS = ("dagster-webserver", "webhook")  # the programs that have got them


def needed(services: Services) -> tuple[str, ...]:
    """Those that services.yaml names: secrets, databases' URLs, tokens of Alertmanagers."""
    return _sorted(name for service in _each(services) for name in _named(service))


def of_alerts(services: Services) -> tuple[str, ...]:
    """Of `needed`, what it takes to read the alerts, and to do no more."""
    return _sorted(name for service in _each(services) for name in _tokens(service))


def known(home: Home, names: Iterable[str]) -> Mapping[str, str]:
    """The values of `names`, of those that have one."""
    kept: dict[str, str] = {}
    for holder in HOLDERS:
        program = Program.read(Supervisord(home.supervisor).definition(holder))
        kept.update(program.environment if program else {})
    found = {name: os.environ.get(name, kept.get(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _named(service: Service) -> Iterator[str]:
    yield from (source.env for source in service.secrets.values())
    if service.database and isinstance(service.database.url, SecretSource):
        yield service.database.url.env
    if service.database and service.database.shadow:
        yield service.database.shadow.env
    yield from _tokens(service)


def _tokens(service: Service) -> Iterator[str]:
    alertmanager = service.alerts.alertmanager
    if alertmanager and alertmanager.token:
        yield alertmanager.token.env


def _each(services: Services) -> list[Service]:
    return [services[name] for name in services.names]


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
