"""The restore of one Dagster run, as a resource: ended with the run, however that ends."""

import os
from collections.abc import Iterator

import dagster as dg

from gp_pipelines.model import Progress
from gp_pipelines.notifications.notify import notify
from gp_pipelines.notifications.run_url import run_url
from gp_pipelines.restore.attempt import Reconcile, RestoreAttempt
from gp_pipelines.restore.ending import ending_of
from gp_pipelines.restore.request import RestoreRequest
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
        if self._attempt is not None:
            self._attempt.progress = self._log
            try:
                self._attempt.close()
            finally:
                self._tell_people(self._attempt)

    def _tell_people(self, attempt: RestoreAttempt) -> None:
        """Once the fence is let go: a channel that hangs holds up nothing but the run's end."""
        ending = ending_of(attempt, run_url(os.environ, self._run.run_id))
        if ending is not None:
            notify(ending, environment=os.environ, progress=self._log)


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
