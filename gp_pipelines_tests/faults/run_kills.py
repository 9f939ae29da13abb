"""Where a release is killed: each brings a run to that point, and says what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from gp_pipelines.targets.local.postgres import EmbeddedPostgres
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import TestedService


@dataclass(frozen=True)
class Kill:
    """`reach` launches a release of v2 and returns its run's id when it has come to the point."""

    reach: Callable[[TestedService], str]
    live: str  # afterwards
    outcome: str
    heal: bool = True  # end the trouble at once, not only when all is settled
    service: str = ""  # a certain one, else a free one


def _at_its_plan(service: TestedService) -> str:
    run_id = service.launch("v2")
    wait_until(lambda: service.ledger[0]["run_id"] == run_id, seconds=60, every=0.02)
    return run_id


def _while_it_builds(service: TestedService) -> str:
    hold = service.project.source / "hold-v-killed"
    hold.touch()
    run_id = service.launch("v-killed")
    service.dagster.wait_for_line(run_id, "v-killed: build the wheel")
    service.end_with_trouble(hold.unlink)
    return run_id


def _while_it_backs_up(service: TestedService) -> str:
    run_id = service.launch("v2")
    service.dagster.wait_for_line(run_id, "dumping ")
    return run_id


def _while_it_migrates(service: TestedService) -> str:
    """Behind a lock, which is let go when the process is dead."""
    url = EmbeddedPostgres(service.project.home).url(service.name)
    session = psycopg.connect(url)
    session.execute("LOCK TABLE missions IN ACCESS SHARE MODE")
    run_id = service.launch("v2")
    service.dagster.wait_for_line(run_id, "migrate: applying 2 mission crew")
    service.end_with_trouble(session.close)
    return run_id


def _while_it_deploys(service: TestedService) -> str:
    return service.launch_sick("v2")


def _while_it_smokes(service: TestedService) -> str:
    return service.launch_waiting("v2")


def _while_it_verifies_its_switch(service: TestedService) -> str:
    run_id = service.launch_unverifiable("v2")
    wait_until(lambda: service.live == "v2", seconds=60, every=0.02)
    return run_id


def _when_it_has_switched(service: TestedService) -> str:
    run_id = service.launch("v2")
    wait_until(lambda: service.live == "v2" and _is_confirmed(service), seconds=60, every=0.02)
    return run_id


KILLS = {
    "migrate": Kill(_while_it_migrates, "v1", "failed", service="api-migrate"),
    "backup": Kill(_while_it_backs_up, "v1", "failed", service="api-backup"),
    "plan": Kill(_at_its_plan, "v1", "failed"),
    "build": Kill(_while_it_builds, "v1", "failed"),
    "deploy_inactive": Kill(_while_it_deploys, "v1", "failed"),
    "smoke": Kill(_while_it_smokes, "v1", "failed"),
    "switch, to a version that can be verified": Kill(
        _while_it_verifies_its_switch, "v2", "released"
    ),
    "switch, to a version that cannot be verified": Kill(
        _while_it_verifies_its_switch, "v1", "failed", heal=False
    ),
    "switched": Kill(_when_it_has_switched, "v2", "released"),
}


def _is_confirmed(service: TestedService) -> bool:
    return service.platform.target.traffic.read().record.confirmed
