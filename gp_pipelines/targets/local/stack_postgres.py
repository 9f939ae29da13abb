"""Bringing the embedded PostgreSQL up, where a service has its database in it."""

from collections.abc import Callable

from gp_pipelines.services import Services
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.postgres import PROGRAM, EmbeddedPostgres
from gp_pipelines.targets.local.postgres_scratch import remove_abandoned
from gp_pipelines.targets.local.stack_waiting import Watched, wait_for
from gp_pipelines.targets.local.supervisor import Supervisor

READY_SECONDS = 120.0  # after a crash it replays what was not in the data files yet


class StackPostgres:
    """The server of one home, for the services of one services.yaml."""

    def __init__(self, home: Home, services: Services) -> None:
        self._home = home
        self._supervisor = Supervisor(home)
        self._server = EmbeddedPostgres(home)
        every = [services[name] for name in services.names]
        self._names = [
            service.name
            for service in every
            if service.database is not None and service.database.url == "embedded"
        ]

    def repair(self) -> None:
        """What must be done before the supervisor starts it."""
        self._server.repair()
        remove_abandoned(self._home)

    def start(self) -> None:
        """Start it; or end it, where no service has its database in it any more."""
        if self._names:
            self._supervisor.put(self._server.program())
        elif self._supervisor.state(PROGRAM) is not None:
            self._supervisor.remove(PROGRAM)

    def wait(self, progress: Callable[[str], None]) -> None:
        """Until each service has its database."""
        if not self._names:
            return
        log = self._home.postgres / "logs" / "postgres.log"
        program = Watched(self._supervisor, PROGRAM, log, tries=3)

        def problem() -> str:
            return "" if self._server.ready() else f"it does not answer ({program.detail()})"

        advice = f"See {log}, then run `gp up` again."
        wait_for("PostgreSQL", problem, READY_SECONDS, progress, advice=advice)
        for name in self._names:
            self._server.ensure_database(name)
