"""What is stored: built once, known by its digest, and noticed when it is changed."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gp_pipelines.artifacts.wheel import WheelArtifacts
from gp_pipelines.errors import ConfigInvalid, Refused
from gp_pipelines.model import Artifact
from gp_pipelines_tests.artifacts.conftest import ignore
from gp_pipelines_tests.artifacts.source_tree import SourceTree


def run(artifacts: WheelArtifacts, artifact: Artifact) -> str:
    argv, cwd = artifacts.command(artifact, ["pirates"])
    return subprocess.run(
        argv, cwd=cwd, env={}, check=True, capture_output=True, text=True
    ).stdout.strip()


def stored(artifacts: WheelArtifacts) -> Artifact:
    artifact = artifacts.stored("v1")
    assert artifact is not None
    return artifact


def test_nothing_is_stored_before_the_first_build(artifacts: WheelArtifacts) -> None:
    assert artifacts.stored("v1") is None


def test_a_version_is_built_once(
    source: SourceTree, artifacts: WheelArtifacts, store: Path
) -> None:
    first = artifacts.provide("v1", ignore, 60)
    source.behave("fail")
    second = artifacts.provide("v1", ignore, 60)
    assert (first.built, second.built) == (True, False)
    assert second.digest == first.digest
    assert second.location == first.location
    assert Path(first.location, "env/bin/pirates").is_file()
    assert WheelArtifacts(source.service(), store).stored("v1") == second


def test_each_version_runs_with_the_dependencies_that_it_was_locked_to(
    source: SourceTree, artifacts: WheelArtifacts
) -> None:
    first = artifacts.provide("v1", ignore, 60)
    source.lock("2")
    second = artifacts.provide("v2", ignore, 60)
    assert run(artifacts, first) == "pirates v1, dependency 1"
    assert run(artifacts, second) == "pirates v2, dependency 2"


def test_the_same_source_has_the_same_digest_wherever_and_whenever_it_is_built(
    tmp_path: Path, built: WheelArtifacts
) -> None:
    source = SourceTree(tmp_path / "elsewhere")
    shared = stored(built)
    requirements = Path(shared.location, "requirements.txt").read_text()
    source.require(requirements)
    again = WheelArtifacts(source.service(), tmp_path / "other").provide("v1", ignore, 60)
    assert again.digest == shared.digest


def test_the_digest_covers_the_wheel_and_the_locked_dependencies(
    tmp_path: Path, source: SourceTree, artifacts: WheelArtifacts
) -> None:
    digests = [artifacts.provide(version, ignore, 60).digest for version in ("v1", "v2")]
    source.lock("2")
    other = WheelArtifacts(source.service(), tmp_path / "other")
    digests.append(other.provide("v1", ignore, 60).digest)
    assert len(set(digests)) == 3


def test_a_directory_of_the_wheel_is_read_without_what_lies_deeper(built: WheelArtifacts) -> None:
    found = built.read_directory(stored(built), "pirates/migrations")
    assert found == {"0001_missions.sql": b"CREATE TABLE missions (id BIGINT);\n"}
    assert built.read_directory(stored(built), "pirates/nothing") == {}


def test_declared_versions_come_first_and_no_stored_one_is_missing(built: WheelArtifacts) -> None:
    assert built.versions() == ("v2", "v1")
    built.provide("v0.9", ignore, 60)
    assert built.versions() == ("v2", "v1", "v0.9")


def test_a_command_that_the_package_does_not_have_is_named(built: WheelArtifacts) -> None:
    with pytest.raises(ConfigInvalid, match="v1 has no command 'corsairs'"):
        built.command(stored(built), ["corsairs", "serve"])


def test_an_artifact_that_is_gone_is_not_replaced_by_another(built: WheelArtifacts) -> None:
    artifact = stored(built)
    shutil.rmtree(artifact.location)
    with pytest.raises(Refused, match=r"not in .* any more"):
        built.read_directory(artifact, "pirates/migrations")
    with pytest.raises(Refused, match=r"not in .* any more"):
        built.command(artifact, ["pirates"])


@pytest.mark.parametrize("version", ["../v1", "v1/x", "", "-v1", "v1;rm", "v1\n", "a..b"])
def test_a_version_that_is_a_path_or_a_command_goes_nowhere(
    artifacts: WheelArtifacts, store: Path, version: str
) -> None:
    with pytest.raises(ConfigInvalid, match="is not a version"):
        artifacts.provide(version, ignore, 60)
    with pytest.raises(ConfigInvalid, match="is not a version"):
        artifacts.stored(version)
    assert not store.exists()


def append(file: Path) -> None:
    with file.open("a") as stream:
        stream.write("# changed\n")


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:50])


@pytest.mark.parametrize("change", [append, cut_short, Path.unlink])
@pytest.mark.parametrize(
    "pattern",
    [
        "env/lib/python*/site-packages/pirates/__init__.py",
        "env/bin/pirates",
        "*.whl",
        "requirements.txt",
    ],
)
def test_a_changed_file_is_named(
    built: WheelArtifacts, pattern: str, change: Callable[[Path], None]
) -> None:
    (file,) = Path(stored(built).location).glob(pattern)
    before = file.read_bytes()
    change(file)
    if pattern == "*.whl" and change is append:  # a zip archive may have a tail
        file.write_bytes(before.replace(b"print(", b"raise("))
    with pytest.raises(Refused, match="is not what was built") as refused:
        built.stored("v1")
    assert file.name in refused.value.what
    assert str(Path("versions/v1")) in refused.value.advice
    with pytest.raises(Refused, match="is not what was built"):
        built.provide("v1", ignore, 60)


def test_what_was_changed_is_built_anew_when_its_link_is_removed(
    built: WheelArtifacts, tmp_path: Path
) -> None:
    before = stored(built)
    append(Path(before.location, "requirements.txt"))
    (tmp_path / "copy/artifacts/versions/v1").unlink()
    after = built.provide("v1", ignore, 60)
    assert after.built
    assert after.location != before.location
    assert Path(before.location).is_dir()


def test_dependencies_that_are_gone_are_noticed(built: WheelArtifacts, shared_build: Path) -> None:
    manifest = Path(stored(built).location) / "manifest.json"
    dependencies = str(shared_build / "artifacts/dependencies")
    assert dependencies in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(dependencies, "/nowhere"))
    with pytest.raises(Refused, match=r"/nowhere/.*, which holds its dependencies, is gone"):
        built.stored("v1")


def test_a_link_that_leads_nowhere_is_no_artifact(built: WheelArtifacts) -> None:
    shutil.rmtree(stored(built).location)
    with pytest.raises(Refused, match="does not lead to a build any more"):
        built.stored("v1")
