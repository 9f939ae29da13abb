"""What the launchpad asks for, and what people read there."""

from typing import Any

import pytest
import yaml

from gp_pipelines_tests.e2e.project import Project

pytestmark = pytest.mark.xdist_group("e2e")

FIELDS: dict[str, dict[str, bool | str | None]] = {
    "release": {
        "service": None,
        "version": None,
        "redeploy": False,
        "allow_downgrade": False,
        "replace_previous": False,
        "manual": False,
        "accept_findings": "",
    },
    "promote": {"service": None},
    "cleanup": {"service": None},
    "contract": {"service": None, "accept_findings": ""},
    "reconcile": {"service": None},
}

FORM = """query($selector: PipelineSelector!) {
  runConfigSchemaOrError(selector: $selector) { __typename ... on RunConfigSchema {
    rootDefaultYaml rootConfigType { ... on CompositeConfigType { fields {
      name description isRequired configType { key ... on EnumConfigType { values { value } }
    } } } } } } }"""

JOBS = """{ repositoryOrError(repositorySelector: {
  repositoryLocationName: "gp_pipelines", repositoryName: "__repository__" }) {
  ... on Repository {
    jobs { name description solids { name definition { description } } }
    assetNodes { assetKey { path } description }
    sensors { name description sensorState { status } }
    schedules { name description scheduleState { status } } } } }"""


@pytest.mark.parametrize("job", FIELDS)
def test_every_field_is_in_the_form_with_its_default_and_what_it_is_for(
    project: Project, job: str
) -> None:
    """What is optional without a value is in no form: neither there at once nor scaffolded."""
    form = _form(project, job)
    at_once = yaml.safe_load(form["rootDefaultYaml"])
    fields = {field["name"]: field for field in form["rootConfigType"]["fields"]}
    assert fields.keys() == FIELDS[job].keys()
    scaffolded = {name for name, field in fields.items() if field["isRequired"]}
    assert at_once.keys() | scaffolded == FIELDS[job].keys()
    for name, default in FIELDS[job].items():
        assert fields[name]["description"], name
        if default is not None:
            assert at_once[name] == default
    choices = {value["value"] for value in fields["service"]["configType"]["values"]}
    assert choices == set(project.names)


def test_the_versions_that_are_known_are_named(project: Project) -> None:
    fields = _form(project, "release")["rootConfigType"]["fields"]
    (version,) = (field for field in fields if field["name"] == "version")
    assert "v1, v2, v3, v4, v5" in version["description"]


def test_a_wrong_form_is_refused_before_a_run_starts(
    project: Project,
) -> None:
    dagster = project.dagster
    before = dagster.runs(job="release")
    for wrong in (
        {"service": "nobody", "version": "v1"},
        {"service": "gated"},
        {"service": "gated", "version": "v1", "redeply": True},
        {"service": "gated", "version": "v1", "manual": "perhaps"},
    ):
        answer = dagster.try_to_launch("release", **wrong)
        assert answer["__typename"] == "RunConfigValidationInvalid", wrong
    assert dagster.runs(job="release") == before


def test_a_version_with_path_characters_is_refused_by_the_plan(project: Project) -> None:
    service = project.service("gated")
    run_id = service.launch("../../etc")
    assert service.dagster.end_of(run_id) == "FAILURE"
    assert "'../../etc' is not a version." in service.dagster.failure(run_id)[1]
    assert service.slots == []


def test_everything_is_described_and_runs_by_itself_where_it_should(project: Project) -> None:
    repository = project.dagster.ask(JOBS)["repositoryOrError"]
    jobs = {job["name"]: job for job in repository["jobs"] if not job["name"].startswith("__")}
    assert jobs.keys() >= FIELDS.keys()
    for job in jobs.values():
        assert job["description"], job["name"]
        for op in job["solids"]:
            assert op["definition"]["description"], (job["name"], op["name"])
    assets = {tuple(node["assetKey"]["path"]): node for node in repository["assetNodes"]}
    assert assets.keys() == {(name, "live") for name in project.names}
    assert all(node["description"] for node in assets.values())
    for sensor in repository["sensors"]:
        assert sensor["description"]
        assert sensor["sensorState"]["status"] == "RUNNING"
    for schedule in repository["schedules"]:
        assert schedule["description"]
        assert schedule["scheduleState"]["status"] == "RUNNING"


def _form(project: Project, job: str) -> dict[str, Any]:
    selector = {
        "repositoryLocationName": "gp_pipelines",
        "repositoryName": "__repository__",
        "pipelineName": job,
    }
    form: dict[str, Any] = project.dagster.ask(FORM, selector=selector)["runConfigSchemaOrError"]
    assert form["__typename"] == "RunConfigSchema", form
    return form
