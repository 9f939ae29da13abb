"""Builds that fail, hang, are killed or meet: nothing counts as stored that is not whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gp_pipelines import commands
from gp_pipelines.artifacts.wheel import WheelArtifacts
from gp_pipelines.errors import ConfigInvalid, StepFailed
from gp_pipelines_tests.artifacts import a_build
from gp_pipelines_tests.artifacts.conftest import ignore
from gp_pipelines_tests.artifacts.source_tree import SourceTree
from gp_pipelines_tests.databases.waiting import wait_until


def nothing_is_left(artifacts: WheelArtifacts, store: Path) -> bool:
    return artifacts.stored("v1") is None and not list((store / "builds").iterdir())


def start_build(source: SourceTree, store: Path) -> subprocess.Popen[str]:
    argv = [
        sys.executable,
        a_build.__file__,
        source.service().model_dump_json(by_alias=True),
        str(store),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        argv, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_a_failing_build_says_why_without_secrets_and_leaves_nothing(
    source: SourceTree, artifacts: WheelArtifacts, store: Path
) -> None:
    source.behave("fail")
    with pytest.raises(StepFailed) as failed:
        artifacts.provide("v1", ignore, 60)
    assert 'of pirates v1 failed: "build the wheel" ended' in failed.value.what
    assert "the mast has broken: postgresql://captain:***@island/db" in failed.value.what
    assert "Nothing was stored" in failed.value.state
    assert str(source.root) in failed.value.advice
    assert nothing_is_left(artifacts, store)


def test_the_next_build_of_a_failed_version_goes_through(
    source: SourceTree, artifacts: WheelArtifacts
) -> None:
    source.behave("fail")
    with pytest.raises(StepFailed):
        artifacts.provide("v1", ignore, 60)
    source.behave("be_good")
    assert artifacts.provide("v1", ignore, 60).built


def test_a_build_says_what_it_does(artifacts: WheelArtifacts) -> None:
    lines: list[str] = []
    artifacts.provide("v1", lines.append, 60)
    assert "v1: build the wheel" in lines


def test_a_build_does_not_get_the_secrets_of_its_caller(
    source: SourceTree, artifacts: WheelArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "treasure")
    monkeypatch.setenv("PIP_RETRIES", "7")
    source.behave("show_environment")
    monkeypatch.setattr(commands, "TAIL_LINES", 200)
    with pytest.raises(StepFailed) as failed:
        artifacts.provide("v1", ignore, 60)
    assert "PIP_RETRIES=7" in failed.value.what
    assert "GP_VERSION=v1" in failed.value.what
    assert "treasure" not in failed.value.what


def test_a_dependency_that_is_not_the_locked_one_is_not_installed(
    source: SourceTree, artifacts: WheelArtifacts, store: Path
) -> None:
    locked = (source.root / "requirements.txt").read_text()
    source.require(locked[: locked.index("sha256:")] + "sha256:" + 64 * "0" + "\n")
    with pytest.raises(StepFailed, match="DO NOT MATCH THE HASHES") as failed:
        artifacts.provide("v1", ignore, 60)
    assert '"install dependencies"' in failed.value.what
    assert nothing_is_left(artifacts, store)
    assert not (store / "dependencies").exists()


def test_a_dependency_without_a_hash_is_not_installed(
    source: SourceTree, artifacts: WheelArtifacts
) -> None:
    locked = (source.root / "requirements.txt").read_text()
    source.require(locked[: locked.index("--hash")] + "\n")
    with pytest.raises(StepFailed, match="--require-hashes"):
        artifacts.provide("v1", ignore, 60)


def test_a_service_without_locked_dependencies_is_not_built(
    source: SourceTree, artifacts: WheelArtifacts, store: Path
) -> None:
    (source.root / "requirements.txt").unlink()
    with pytest.raises(ConfigInvalid, match=r"requirements\.txt cannot be read") as invalid:
        artifacts.provide("v1", ignore, 60)
    assert "hashes" in invalid.value.advice
    assert nothing_is_left(artifacts, store)


def test_a_place_that_cannot_be_written_to_is_named(artifacts: WheelArtifacts, store: Path) -> None:
    store.mkdir()
    (store / "builds").write_text("in the way")
    with pytest.raises(StepFailed, match="pirates v1 cannot be stored") as failed:
        artifacts.provide("v1", ignore, 60)
    assert str(store / "builds") in failed.value.what
    assert "has room" in failed.value.advice


def test_a_hanging_build_ends_with_its_time_and_with_all_its_processes(
    source: SourceTree,
    artifacts: WheelArtifacts,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "GRACE_SECONDS", 0.2)
    artifacts.provide("v2", ignore, 60)  # the environment of the dependencies
    source.behave("hang")
    with pytest.raises(StepFailed, match='"build the wheel" did not end in its time'):
        artifacts.provide("v1", ignore, 4)
    assert artifacts.stored("v1") is None
    assert [path.name.split(".")[0] for path in (store / "builds").iterdir()] == ["v2"]
    child = int((source.root / "child").read_text())
    wait_until(lambda: not _runs(child))


def test_an_interrupted_build_leaves_nothing(artifacts: WheelArtifacts, store: Path) -> None:
    def interrupt(line: str) -> None:
        if "install the wheel" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        artifacts.provide("v1", interrupt, 60)
    assert nothing_is_left(artifacts, store)


def test_a_killed_build_is_not_stored_and_the_next_one_does_not_meet_what_it_left(
    source: SourceTree, artifacts: WheelArtifacts, store: Path
) -> None:
    source.behave("wait_for_the_test")
    killed = start_build(source, store)
    wait_until((source.root / "waiting").exists, lambda: killed.poll() is None)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (orphaned,) = (store / "builds").iterdir()
    assert artifacts.stored("v1") is None
    assert artifacts.versions() == ("v2", "v1")

    source.behave("be_good")
    artifact = artifacts.provide("v1", ignore, 60)
    (source.root / "go-on").touch()  # the orphan finishes its wheel now
    assert artifact.built
    assert Path(artifact.location) != orphaned
    assert artifacts.stored("v1") is not None


def test_two_builds_of_one_version_at_once_make_one_artifact(
    source: SourceTree, store: Path
) -> None:
    source.behave("wait_for_the_test")
    processes = [start_build(source, store) for _ in range(2)]
    wait_until((source.root / "waiting").exists)
    (source.root / "go-on").touch()
    ends = [process.communicate()[0].splitlines()[-1].split(maxsplit=1) for process in processes]
    assert sorted(built for built, _ in ends) == ["False", "True"]
    assert len({location for _, location in ends}) == 1
    assert len(list((store / "builds").iterdir())) == 1


def test_waiting_for_another_build_ends_with_the_time_and_names_what_is_waited_for(
    source: SourceTree, artifacts: WheelArtifacts, store: Path
) -> None:
    source.behave("wait_for_the_test")
    other = start_build(source, store)
    wait_until((source.root / "waiting").exists, lambda: other.poll() is None)
    lines: list[str] = []
    with pytest.raises(StepFailed, match="another build of the service holds") as failed:
        artifacts.provide("v1", lines.append, 0.5)
    assert str(store / "lock") in failed.value.what
    (source.root / "go-on").touch()
    assert other.communicate()[0].splitlines()[-1].startswith("True")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
