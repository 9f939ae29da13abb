"""Everything that runs on this machine for one services.yaml: what `gp up` starts.

Each step of `up` looks at what is there and does what is missing, so it may be run again at any
time, after any crash, and by two people at once.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Progress
from gp_pipelines.services import Services
from gp_pipelines.targets.local.envoy import entrance_port
from gp_pipelines.targets.local.file_errors import writable
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.home_removal import remove_home, require_home
from gp_pipelines.targets.local.postgres import PROGRAM as POSTGRES
from gp_pipelines.targets.local.stack_dagster import StackDagster
from gp_pipelines.targets.local.stack_entrance import StackEntrance
from gp_pipelines.targets.local.stack_ports import move_previews, require_entrances_free
from gp_pipelines.targets.local.stack_postgres import StackPostgres
from gp_pipelines.targets.local.stack_webhook import StackWebhook
from gp_pipelines.targets.local.standing_slots import remarks
from gp_pipelines.targets.local.supervisor import Supervisor

LOCK_SECONDS = 2.0  # then it is said that another one is at work
LOCK_TRIES = 150


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where people find what was started."""

    dagster: str | None  # None: its webserver does not run
    entrances: Mapping[str, str]  # URLs by service
    webhook: str | None  # None: it does not run


class Stack:
    """The stack of `home`, for `services` and the Dagster project in the directory `project`."""

    def __init__(self, home: Home, services: Services, project: Path) -> None:
        self._home = home
        self._services = services
        self._supervisor = Supervisor(home)
        self._entrance = StackEntrance(home, services)
        self._postgres = StackPostgres(home, services)
        self._dagster = StackDagster(home, services, project)
        self._webhook = StackWebhook(home, services, project)

    def up(self, dagster: bool, progress: Progress) -> Addresses:
        """Start what does not run, and wait until all of it is ready.

        Raises `TargetUnavailable` for what is in the way, and `ConfigInvalid`.
        """
        with self._alone(progress):
            require_entrances_free(self._home, self._services)
            move_previews(self._home, self._services, progress)
            for remark in remarks(self._home, self._services):
                progress(remark)
            self._postgres.repair()
            if not dagster:
                self._dagster.remove()
            progress("starting what does not run yet")
            self._supervisor.start_daemon()
            self._entrance.start()
            self._postgres.start()
            self._webhook.start(progress)
            if dagster:
                self._dagster.start(progress)
            self._entrance.wait(progress)
            self._postgres.wait(progress)
            if dagster:
                self._dagster.wait(progress)
            self._webhook.wait(progress)
            return self.addresses()

    def down(self, purge: bool, progress: Progress) -> None:
        """End everything, replicas too; keep the data, unless `purge`.

        Raises `Refused` for a home to purge that is none.
        """
        if purge:
            require_home(self._home)
        if not self._home.root.exists():
            return
        with self._alone(progress):
            names = self._supervisor.states().keys() - {POSTGRES}
            progress(f"ending {', '.join(sorted(names)) or 'what runs'}")
            # The replicas first: a request that they still have may need the database.
            self._supervisor.stop(*names)
            self._dagster.end_left_processes()
            self._supervisor.stop_daemon()
            self._postgres.repair()
        if purge:
            left = remove_home(self._home)
            if left:
                progress(f"left in {self._home.root}, as not of our making: {', '.join(left)}")

    def addresses(self) -> Addresses:
        entrances = {
            name: f"http://127.0.0.1:{entrance_port(self._home, self._services[name])}"
            for name in self._services.names
        }
        return Addresses(self._dagster.url(), entrances, self._webhook.url())

    @contextmanager
    def _alone(self, progress: Progress) -> Iterator[None]:
        """Two at once would both be right, but would report each other's half-done work.

        Raises `TargetUnavailable` if the other one takes too long, or the disk does not let this
        one work.
        """
        with writable(self._home.root):
            self._home.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._home.root / "stack.lock", timeout=LOCK_SECONDS)
            _take(lock, progress)
            try:
                yield
            finally:
                lock.release()


def _take(lock: FileLock, progress: Progress) -> None:
    for _ in range(LOCK_TRIES):
        try:
            lock.acquire()
        except Timeout:
            progress("waiting: another `gp up` or `gp down` is at work")
        else:
            return
    raise TargetUnavailable(
        "Another `gp up` or `gp down` has been at work for "
        f"{LOCK_SECONDS * LOCK_TRIES:.0f} s: it holds {lock.lock_file}.",
        state="Nothing was changed.",
        advice="Try again when it has ended.",
    )
