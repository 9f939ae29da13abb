"""A live database and a server for its shadow: real ones, shared by a worker's tests."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest
from psycopg import sql

from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS
from gp_pipelines.databases.connection import Connector
from gp_pipelines.databases.verification import Scratch
from gp_pipelines_tests.databases.conftest import Live, new_database
from gp_pipelines_tests.databases.server import running_server

_numbers = itertools.count()


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
