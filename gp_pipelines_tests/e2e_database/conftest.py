"""One more stack, for tests of what happens to a service's database: beside that of e2e.

It ends with the last of them, as that does.
"""

from collections.abc import Iterator

import pytest

from gp_pipelines_tests.e2e.project import Project

TIMEOUTS = {"drain": 5, "switch": 10}
# Its contract phase is a command alone.
HOLD = {
    "command": [
        *("python", "-c"),
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['DATABASE_URL'], autocommit=True) as connection:\n"
        "    connection.execute('ALTER TABLE missions DROP COLUMN IF EXISTS ballast')",
    ],
    "automatic": True,
}


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("e2e-database"))
    project.add_api("treasure", timeouts=TIMEOUTS)
    project.add_api("ship", timeouts=TIMEOUTS)
    project.add_api("hold", timeouts=TIMEOUTS, retention_seconds=1, contract=HOLD)
    with project.running():
        yield project
