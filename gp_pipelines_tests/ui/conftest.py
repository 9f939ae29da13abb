"""A stack of its own for all of these tests, with v1 released, and a browser before it.

It ends with the last of them, as that of e2e does.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gp_pipelines_tests.demo.project import DemoProject
from gp_pipelines_tests.ui.browser import chromium, opened
from gp_pipelines_tests.ui.dagster_ui import DagsterUi

SERVICE = "ghostpirates-api"


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProject]:
    if chromium() is None:
        pytest.skip("there is no chromium here (Debian: apt-get install chromium)")
    project = DemoProject(tmp_path_factory.mktemp("ui") / "project", retention_seconds=600)
    project.make()
    try:
        assert project.gp("up")[0] == 0
        assert project.gp("release", SERVICE, "v1")[0] == 0
        yield project
    finally:
        project.gp("down", "--purge")


@pytest.fixture
def ui(project: DemoProject, tmp_path: Path) -> Iterator[DagsterUi]:
    executable = chromium()
    assert executable is not None
    _, status = project.gp("status")
    with opened(executable, tmp_path / "profile") as page:
        yield DagsterUi(page, status["dagster_url"])
