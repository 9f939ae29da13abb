"""A live database and a server for its shadow: real ones, shared by a worker's tests."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS
from gp_pipelines.databases.verification import Scratch
from gp_pipelines_tests.databases.server import running_server


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
