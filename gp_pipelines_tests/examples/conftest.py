"""The sample service as it is released: really built, on a real database."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import conninfo, sql

from gp_pipelines.artifacts.wheel import WheelArtifacts
from gp_pipelines.services import load_services
from gp_pipelines_tests.databases.server import running_server
from gp_pipelines_tests.examples.sample import Sample

SERVICES = Path(__file__).parents[2] / "services.yaml"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> WheelArtifacts:
    """One store for all workers of a run: each version is built by who needs it first."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    service = load_services(SERVICES)["ghostpirates-api"]
    return WheelArtifacts(service, root / "ghostpirates-api")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
def sample(artifacts: WheelArtifacts, server: str) -> Sample:
    """All versions, on an empty database that they share."""
    name = f"sample_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    parts = conninfo.conninfo_to_dict(server)
    password = quote(str(parts["password"]), safe="")
    return Sample(artifacts, f"postgresql://postgres:{password}@/{name}?host={parts['host']}")
