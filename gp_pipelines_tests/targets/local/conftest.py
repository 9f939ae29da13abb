"""Each test of the stack has a project, and a home, of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gp_pipelines_tests.targets.local.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path / "project")
    yield project
    project.have("api")
    if project.home.root.exists():
        project.down(purge=True)
