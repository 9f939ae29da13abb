"""The contract phase, on the whole stack: after the retirement, and with a person's word."""

import pytest

from gp_pipelines import contractions
from gp_pipelines_tests.databases.conftest import Live
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project

pytestmark = pytest.mark.xdist_group("e2e-database")

BALLAST = """
    SELECT count(*) FROM information_schema.columns
    WHERE table_name = 'missions' AND column_name = 'ballast'
"""


def test_what_older_versions_used_goes_once_they_are_gone_and_a_person_agrees(
    project: Project,
) -> None:
    """Nobody knows all that v2 asks its database, so the gate has a finding."""
    hold, dagster = project.service("hold"), project.dagster
    hold.release("v1")
    assert hold.platform.database
    data = Live(hold.platform.database.url())
    data.run("ALTER TABLE missions ADD COLUMN ballast text")
    release_id = hold.release("v2")

    cleaned = hold.gp("cleanup")  # the schedule may have done it before
    assert cleaned.code == 0, cleaned.err
    wait_until(lambda: hold.slots == ["v2"] and hold.has_settled())
    seen = contractions.found(hold.platform.target.ledger, release_id)
    assert seen
    shown = dagster.metadata(seen.run_id, "contract_when_due")
    assert shown["contract phase"] == "waits for a person"
    assert "column-dropped" in shown["findings"]
    (remark,) = [each for each in hold.shown["remarks"] if "contract phase" in each]
    assert "`gp contract hold` goes on with it" in remark

    refused = hold.gp("contract")
    assert (refused.code, refused.object["outcome"]) == (1, "refused")
    assert data.value(BALLAST) == 1
    done = hold.gp("contract", "--accept-findings", "only v1 had it")
    assert done.code == 0, done.err
    assert data.value(BALLAST) == 0
    assert hold.gp("backups").object["backups"][0]["verified"]
    assert not [each for each in hold.shown["remarks"] if "contract phase" in each]
    (entry,) = [each for each in dagster.history("hold") if each["what"] == "contract"]
    assert entry["accepted"] == "only v1 had it"
    assert hold.live == "v2"
