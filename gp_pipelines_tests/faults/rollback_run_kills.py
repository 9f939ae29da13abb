"""Where the run of a rollback is killed: each brings one to that point, which an alert asks for."""

from collections.abc import Callable
from dataclasses import dataclass

from gp_pipelines import restrictions
from gp_pipelines.model import Holder
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import TestedService

OFTEN = 0.02  # seconds
PATIENCE = 90.0  # also where the webhook could not launch the run, and the sensor does


@dataclass(frozen=True)
class Run:
    id: str
    pid: int


@dataclass(frozen=True)
class RollbackKill:
    """`reach` returns when the run has come to the point. Before, v2 is live, and v1 is warm."""

    reach: Callable[[TestedService], Run]
    service: str = ""  # a certain one, else a free one


def launched(service: TestedService) -> Run:
    """The run that an alert has launched: the first one, if that takes so long that two are."""
    before = runs(service)
    service.alert(color="green", auto_rollback="true")
    wait_until(lambda: len(runs(service)) > len(before), seconds=PATIENCE, every=OFTEN)
    first = [run for run in runs(service) if run not in before][-1]
    return Run(first, service.dagster.process_of(first))


def acting(service: TestedService) -> Run:
    """The one of those launched that has come first, and brings the old version back."""
    launched(service)
    traffic = service.platform.target.traffic

    def holder() -> Holder | None:
        found = traffic.read().record.holder
        return found if found and found.kind == "rollback" else None

    wait_until(holder, seconds=PATIENCE, every=OFTEN)
    found = holder()
    assert found is not None, "it has ended already"
    return Run(found.run_id, service.dagster.process_of(found.run_id))


def runs(service: TestedService) -> list[str]:
    """Those of rollbacks, newest first."""
    found = service.dagster.runs({"gp/service": service.name}, job="rollback")
    return [str(run["runId"]) for run in found]


def retired(service: TestedService) -> None:
    """The old slot, whose retention of a second is over."""
    service.dagster.end_of(service.dagster.launch("cleanup", service=service.name))
    wait_until(lambda: service.slots == ["v2"])


def short_of_replicas(service: TestedService) -> Run:
    """The old version's health check fails, for as long as it is `sick`."""
    service.begin("sick", "v1")
    run = acting(service)
    service.dagster.wait_for_step(run.id, "restore_previous")
    return run


def _cold(service: TestedService) -> Run:
    retired(service)
    service.begin("sick", "v1")
    run = acting(service)
    wait_until(lambda: service.slots == ["v1", "v2"], seconds=60, every=OFTEN)
    return run


def unverified(service: TestedService) -> Run:
    """Traffic has moved, and the old version does not say yet which one it is."""
    service.begin("unknown", "v1")
    run = acting(service)
    wait_until(lambda: service.live == "v1", seconds=60, every=OFTEN)
    return run


def _in_quarantine(service: TestedService) -> Run:
    ledger = service.platform.target.ledger
    run = launched(service)
    wait_until(lambda: restrictions.quarantines(ledger), seconds=60, every=OFTEN)
    return run


def _ending_what_it_preempted(service: TestedService) -> Run:
    """The slot of a release is drained, one of whose requests has no end yet."""
    service.launch_waiting("v3")
    run = acting(service)
    service.dagster.wait_for_step(run.id, "record")
    return run


KILLS = {
    "before it has begun": RollbackKill(launched),
    "restore_previous, short of replicas": RollbackKill(short_of_replicas),
    "restore_previous, cold": RollbackKill(_cold, service="brief"),
    "switch_back": RollbackKill(unverified),
    "quarantine": RollbackKill(_in_quarantine),
    "record": RollbackKill(_ending_what_it_preempted, service="slow"),
}
