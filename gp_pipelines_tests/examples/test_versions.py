"""What services.yaml, versions.toml and the builds of the sample service say to each other."""

import tomllib

import pytest

from gp_pipelines.artifacts.wheel import WheelArtifacts
from gp_pipelines.errors import StepFailed
from gp_pipelines.services import load_services
from gp_pipelines_tests.examples.conftest import SERVICES
from gp_pipelines_tests.examples.sample import GOOD_REQUESTS


def test_all_versions_that_can_be_built_are_declared() -> None:
    artifact = load_services(SERVICES)["ghostpirates-api"].artifact
    versions = tomllib.loads((artifact.source / "versions.toml").read_text())
    assert tuple(versions) == artifact.versions


def test_v4_answers_well_all_that_smoke_checks_ask_before_a_switch() -> None:
    smoke = load_services(SERVICES)["ghostpirates-api"].smoke
    asked = smoke.repeat * sum(check.path.startswith("/api/") for check in smoke.checks)
    assert 3 * asked < GOOD_REQUESTS  # before the switch, before a promotion, and once more


def test_a_version_that_there_is_not_cannot_be_built(artifacts: WheelArtifacts) -> None:
    with pytest.raises(StepFailed, match="GP_VERSION='v99' is no version of ghostpirates-api"):
        artifacts.provide("v99", lambda line: None, 60)


def test_the_same_source_is_the_same_artifact(
    artifacts: WheelArtifacts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    service = load_services(SERVICES)["ghostpirates-api"]
    other = WheelArtifacts(service, tmp_path_factory.mktemp("other"))
    digests = {each.provide("v2", lambda line: None, 120).digest for each in (artifacts, other)}
    assert len(digests) == 1
