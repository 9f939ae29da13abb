"""The restore of one Dagster run, as a resource: ended with the run, however that ends."""

from collections.abc import Iterator

import dagster as dg

from gp_pipelines.model import Progress
from gp_pipelines.restore.attempt import Reconcile, RestoreAttempt
from gp_pipelines.restore.ending import ending_of
from gp_pipelines.restore.request import RestoreRequest
from gp_pipelines.telling import tell_people
from gp_pipelines.wiring import Platforms


class Restores:
    """At most one, of the run's one service. `reconcile` ends what dead runs left, before it."""

    def __init__(
        self, platforms: Platforms, run: dg.DagsterRun, reconcile: Reconcile, log: Progress
    ) -> None:
        self.platforms = platforms
        self._run = run
        self._reconcile = reconcile
        self._log = log
        self._attempt: RestoreAttempt | None = None

    def begin(self, service: str, request: RestoreRequest, progress: Progress) -> RestoreAttempt:
        self._attempt = RestoreAttempt(
            self.platforms[service], request, self._run.run_id, self._reconcile, progress
        )
        return self._attempt

    def present(self, progress: Progress) -> RestoreAttempt:
        """That of an earlier op of this run, reporting to `progress` from now on."""
        if self._attempt is None:
            raise dg.DagsterInvariantViolationError(
                "a restore is done whole, by one run: start it again from its first step"
            )
        self._attempt.progress = progress
        return self._attempt

    def close(self) -> None:
        attempt = self._attempt
        if attempt is not None:
            attempt.progress = self._log
            try:
                attempt.close()
            finally:
                tell_people(self._run.run_id, lambda url: [ending_of(attempt, url)], self._log)


def restores_resource(platforms: Platforms, reconcile: Reconcile) -> dg.ResourceDefinition:
    @dg.resource(description="The run's hold on the target while it restores; ends what is left.")
    def restores(context: dg.InitResourceContext) -> Iterator[Restores]:
        if context.run is None or context.log is None:
            raise dg.DagsterInvariantViolationError("restores exist only in a run")
        opened = Restores(platforms, context.run, reconcile, context.log.info)
        try:
            yield opened
        finally:
            opened.close()

    return restores
