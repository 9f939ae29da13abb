"""An embedded PostgreSQL under a supervisor, in a home of the tests' own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.home_removal import remove_home
from gp_pipelines.targets.local.postgres import EmbeddedPostgres
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines_tests.databases.waiting import wait_until


@contextmanager
def removed_at_the_end(root: Path) -> Iterator[Home]:
    """A home, whatever is started in it; for root, some of it lies elsewhere."""
    home = Home(root)
    try:
        yield home
    finally:
        Supervisor(home).stop_daemon()
        remove_home(home)


def start(home: Home) -> EmbeddedPostgres:
    server = EmbeddedPostgres(home)
    Supervisor(home).start_daemon()
    Supervisor(home).put(server.program())
    wait_until(server.ready)
    return server
