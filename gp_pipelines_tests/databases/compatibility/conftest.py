"""A server for shadows, a real one that a worker's tests share; and the check itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from gp_pipelines.databases.compatibility.check import check
from gp_pipelines.databases.compatibility.finding import Report
from gp_pipelines.databases.compatibility.migrations import ForeignCommand, SqlFile
from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS, Shadow, shadow_of
from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.pg_tools import PgTools
from gp_pipelines.databases.verification import Scratch
from gp_pipelines_tests.databases.conftest import Live
from gp_pipelines_tests.databases.server import BIN, running_server

MakeShadow = Callable[[], AbstractContextManager[Shadow]]
Check = Callable[..., Report]


@pytest.fixture(scope="session")
def shadow_server() -> Iterator[str]:
    """Its URL as superuser."""
    with running_server(*SERVER_SETTINGS) as url:
        yield url


@pytest.fixture
def scratch(shadow_server: str) -> Scratch:
    @contextmanager
    def shared() -> Iterator[str]:
        yield shadow_server

    return shared


@pytest.fixture
def shadow(live: Live, scratch: Scratch) -> MakeShadow:
    """`shadow()`: of the live database as it is then."""

    def make() -> AbstractContextManager[Shadow]:
        return shadow_of(
            Connector(lambda: live.url, advice=""),
            scratch=scratch,
            tools=PgTools(BIN.joinpath),
            deadline=time.monotonic() + 60,
            progress=lambda line: None,
        )

    return make


@pytest.fixture
def checked(live: Live, scratch: Scratch) -> Check:
    """`checked("ALTER TABLE …", role=…)`: the report on one file, or on a command."""

    def run(migration: str | ForeignCommand, **options: object) -> Report:
        files = [SqlFile("1.sql", migration)] if isinstance(migration, str) else migration
        return check(
            Connector(lambda: live.url, advice=""),
            files,
            scratch=scratch,
            tools=PgTools(BIN.joinpath),
            progress=lambda line: None,
            **options,  # type: ignore[arg-type]
        )

    return run
