"""With a queue of runs, as production has one: releases take their turns, a rollback does not."""

from collections.abc import Iterator

import pytest
import yaml

from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project, TestedService

pytestmark = pytest.mark.xdist_group("e2e-queue")

# No limit for all runs together: a rollback would wait, too, whatever its priority. Nor one by
# `gp/service`, which a rollback has as well: releases of one service keep each other out by the
# fence.
QUEUED = """
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
concurrency:
  runs:
    max_concurrent_runs: -1
    tag_concurrency_limits:
      - key: gp/queue
        value: release
        limit: 1
"""


@pytest.fixture(scope="package", autouse=True)
def with_a_slot_that_is_due() -> None:
    """Not here: that is of the other project's."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("queue"))
    project.add_free(2)
    settings = project.root / "dagster.yaml"
    content = {**yaml.safe_load(settings.read_text()), **yaml.safe_load(QUEUED)}
    settings.write_text(yaml.safe_dump(content))
    with project.running():
        yield project


def test_a_rollback_begins_at_once_while_a_release_runs_and_another_one_waits(
    project: Project,
) -> None:
    bad, other = project.free(), project.free()
    bad.go_bad()
    hold = project.source / "hold-v-slow"  # for as long as it is there
    hold.touch()
    under_way = other.launch("v-slow")
    other.dagster.wait_for_line(under_way, "v-slow: build the wheel")
    queued = bad.launch("v3")
    wait_until(lambda: _status(bad, queued) == "QUEUED")

    rollback = bad.dagster.launch("rollback", service=bad.name, reason="v2 is bad")
    assert bad.dagster.end_of(rollback) == "SUCCESS", bad.dagster.failure(rollback)
    assert (bad.live, bad.answers()) == ("v1", "v1")
    assert (_status(bad, under_way), _status(bad, queued)) == ("STARTED", "QUEUED")

    hold.unlink()
    assert bad.dagster.end_of(under_way) == "SUCCESS"
    assert bad.dagster.end_of(queued) == "SUCCESS", "the fix had its turn"
    assert bad.live == "v3"


def _status(service: TestedService, run_id: str) -> str:
    return str(service.dagster.run(run_id)["status"])
