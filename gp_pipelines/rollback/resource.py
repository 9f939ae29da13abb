"""The rollback of one Dagster run, as a resource: it lets the fence go however the run ends."""

from collections.abc import Callable, Iterator

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.model import Progress
from gp_pipelines.platform import Platform
from gp_pipelines.rollback.attempt import RollbackAttempt
from gp_pipelines.rollback.ending import endings_of
from gp_pipelines.rollback.request import RollbackRequest
from gp_pipelines.telling import tell_people
from gp_pipelines.traffic.fence import Hold
from gp_pipelines.wiring import Platforms

Reconcile = Callable[[Hold, Platform, Progress], list[str]]


class Rollbacks:
    """At most one, of the run's one service. `reconcile` ends what other runs left, afterwards."""

    def __init__(
        self, platforms: Platforms, run: dg.DagsterRun, reconcile: Reconcile, log: Progress
    ) -> None:
        self.platforms = platforms
        self.reconcile = reconcile
        self._run = run
        self._log = log
        self._attempt: RollbackAttempt | None = None

    def begin(self, service: str, request: RollbackRequest, progress: Progress) -> RollbackAttempt:
        actor = lineage.actor_of(self._run.tags)
        platform = self.platforms[service]
        self._attempt = RollbackAttempt(platform, request, self._run.run_id, actor, progress)
        return self._attempt

    def present(self, progress: Progress) -> RollbackAttempt:
        """That of an earlier op of this run, reporting to `progress` from now on."""
        if self._attempt is None:
            raise dg.DagsterInvariantViolationError(
                "a rollback is done whole, by one run: start it again from its first step"
            )
        self._attempt.progress = progress
        return self._attempt

    def close(self) -> None:
        attempt = self._attempt
        if attempt is not None:
            try:
                attempt.close()
            finally:
                tell_people(self._run.run_id, lambda url: endings_of(attempt, url), self._log)


def rollbacks_resource(platforms: Platforms, reconcile: Reconcile) -> dg.ResourceDefinition:
    @dg.resource(description="The run's hold on the target while it rolls back.")
    def rollbacks(context: dg.InitResourceContext) -> Iterator[Rollbacks]:
        if context.run is None or context.log is None:
            raise dg.DagsterInvariantViolationError("rollbacks exist only in a run")
        opened = Rollbacks(platforms, context.run, reconcile, context.log.info)
        try:
            yield opened
        finally:
            opened.close()

    return rollbacks
