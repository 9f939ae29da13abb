"""What may not be released now is refused, with the reason, and changes nothing."""

import pytest

from gp_pipelines.model import Holder
from gp_pipelines_tests.e2e.project import Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e")

REFUSED_WITHIN_SECONDS = 5.0


def test_a_service_is_released_once_at_a_time_and_another_one_beside_it(
    project: Project, service: TestedService
) -> None:
    dagster = service.dagster
    first = service.launch_sick("v1")
    try:
        second = service.launch("v2")
        assert dagster.end_of(second) == "FAILURE"
        step, said = dagster.failure(second)
        assert step == "plan"
        assert f"{service.name} is busy" in said
        assert first in said
        assert dagster.seconds(second, "plan") <= REFUSED_WITHIN_SECONDS
        assert dagster.metadata(second, "plan")["outcome"] == "refused"

        rejected = project.gp("reject", service.name)  # not through Dagster at all
        assert rejected.code == 1
        assert first in rejected.object["error"]

        status = service.status
        assert status.state == "releasing"
        assert isinstance(status.holder, Holder)
        assert (status.holder.run_id, status.holder_lives) == (first, True)

        other = project.service("brief-2")
        other.release("v1", redeploy=True, allow_downgrade=True)
        assert other.live == "v1"
    finally:
        service.end("sick", "v1")
    assert dagster.end_of(first) == "SUCCESS", dagster.failure(first)
    assert service.live == "v1"


def test_the_live_version_and_older_ones_are_released_only_on_purpose(
    project: Project, service: TestedService
) -> None:
    service.release("v2")
    same = project.gp("release", service.name, "v2")
    assert (same.code, same.object["outcome"]) == (1, "refused")
    assert "v2 is live already" in same.object["error"]
    assert "--redeploy" in same.err
    older = project.gp("release", service.name, "v1")
    assert (older.code, older.object["outcome"]) == (1, "refused")
    assert "v1 is older than v2" in older.object["error"]
    assert "--allow-downgrade" in older.err
    assert service.slots == ["v2"]

    service.release("v2", redeploy=True)
    live = service.status.live
    assert live
    assert (live.slot.version, live.slot.number) == ("v2", 3)
    service.release("v1", allow_downgrade=True)
    assert service.live == "v1"


def test_an_artifact_that_was_changed_after_its_build_is_not_released(
    project: Project, service: TestedService
) -> None:
    """v-changed is built by a release that fails, so that a later one would take it."""
    with service.trouble("failing", "v-changed"):
        service.dagster.end_of(service.launch("v-changed"))
    artifact = service.platform.artifacts.stored("v-changed")
    assert artifact
    (module,) = service.project.builds.glob("builds/v-changed.*/env/lib/*/*/small_service.py")
    module.write_text(module.read_text() + "\n")
    run_id = service.launch("v-changed")
    assert service.dagster.end_of(run_id) == "FAILURE"
    step, said = service.dagster.failure(run_id)
    assert step == "plan"
    assert f"{module} was changed" in said
    assert service.slots == []
