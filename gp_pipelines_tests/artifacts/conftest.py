"""A source tree and a store for each test, and one build that those share which only look at it."""

import shutil
from pathlib import Path

import pytest

from gp_pipelines.artifacts.wheel import WheelArtifacts
from gp_pipelines_tests.artifacts.source_tree import SourceTree


def ignore(line: str) -> None:
    """As progress."""


@pytest.fixture
def source(tmp_path: Path) -> SourceTree:
    return SourceTree(tmp_path / "source tree")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def artifacts(source: SourceTree, store: Path) -> WheelArtifacts:
    return WheelArtifacts(source.service(), store)


@pytest.fixture(scope="session")
def shared_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with v1 in it."""
    root = tmp_path_factory.mktemp("shared build")
    source = SourceTree(root / "source")
    WheelArtifacts(source.service(), root / "artifacts").provide("v1", ignore, 60)
    return root


@pytest.fixture
def built(shared_build: Path, tmp_path: Path) -> WheelArtifacts:
    """A copy of it, for this test alone."""
    copy = tmp_path / "copy"
    shutil.copytree(shared_build, copy, symlinks=True)
    source = SourceTree(tmp_path / "source of the copy")
    return WheelArtifacts(source.service(), copy / "artifacts")
