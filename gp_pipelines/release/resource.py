"""The attempts of one Dagster run, as a resource: opened by its first op, closed with the run.

Dagster tears resources down also when a run is ended between two ops, where neither a `finally` of
an op nor a hook would run. So this is where a release that did not come to its end is undone, and
where people are told how it ended.
"""

from collections.abc import Iterator

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.model import Progress
from gp_pipelines.release.attempt import Attempt, Reconcile, RunIdentity
from gp_pipelines.release.ending import ending_of
from gp_pipelines.telling import tell_people
from gp_pipelines.wiring import Platforms


class Attempts:
    """At most one attempt, of the run's one service."""

    def __init__(
        self, platforms: Platforms, run: dg.DagsterRun, reconcile: Reconcile, log: Progress
    ) -> None:
        self.platforms = platforms
        self._run = run
        self._reconcile = reconcile
        self._log = log
        self._attempt: Attempt | None = None

    @property
    def release_id(self) -> str:
        """A release has the id of its root run: a re-execution goes on with it."""
        return self._run.root_run_id or self._run.run_id

    def of(self, service: str, kind: str, progress: Progress, release_id: str = "") -> Attempt:
        """The run's attempt at `release_id` (its own release, if not said), reporting to
        `progress` from now on."""
        if self._attempt is None:
            actor = lineage.actor_of(self._run.tags)
            run = RunIdentity(self._run.run_id, release_id or self.release_id, kind, actor)
            self._attempt = Attempt(self.platforms[service], run, self._reconcile, progress)
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


def attempts_resource(platforms: Platforms, reconcile: Reconcile) -> dg.ResourceDefinition:
    """`reconcile` ends what dead runs left, once the fence is taken."""

    @dg.resource(description="The run's hold on the target; undoes what the run leaves unfinished.")
    def attempts(context: dg.InitResourceContext) -> Iterator[Attempts]:
        if context.run is None or context.log is None:
            raise dg.DagsterInvariantViolationError("attempts exist only in a run")
        opened = Attempts(platforms, context.run, reconcile, context.log.info)
        try:
            yield opened
        finally:
            opened.close()

    return attempts
