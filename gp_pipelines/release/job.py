"""The jobs `release` and `promote`: how their ops hang together, and what the launchpad asks."""

from typing import Any

import dagster as dg

from gp_pipelines import tags
from gp_pipelines.launchpad import service_config
from gp_pipelines.release import ops
from gp_pipelines.release.config import release_config
from gp_pipelines.services import Services


def release_job(services: Services) -> dg.JobDefinition:
    @dg.job(
        name="release",
        description="Release a version of a service with zero downtime: build, back up, migrate, "
        "deploy to the idle color, smoke, switch; the old color stays warm for a rollback. "
        "Fails closed: until the switch is confirmed, whatever goes wrong leaves users on the old "
        "version.",
        config=dg.ConfigMapping(
            config_fn=_for_plan, config_schema=release_config(services).to_config_schema()
        ),
        tags={tags.QUEUE: "release"},
        # A process for each op would cost 2.5 s an op, and the fence is held by one process.
        executor_def=dg.in_process_executor,
    )
    def release() -> None:
        plan = ops.plan()
        artifact = ops.build(plan)
        for step in (ops.backup, ops.migrate, ops.deploy_inactive, ops.smoke):
            artifact = step(plan, artifact)
        ops.schedule_cleanup(ops.switch(plan, artifact))

    return release


def promote_job(services: Services) -> dg.JobDefinition:
    form = service_config(services, "The service whose waiting release goes live.")

    @dg.job(
        name="promote",
        description="Send the traffic to the release that waits (`promotion: manual`), after "
        "proving it afresh. `gp reject` removes it instead.",
        config=dg.ConfigMapping(config_fn=_for_promotion, config_schema=form.to_config_schema()),
        executor_def=dg.in_process_executor,
    )
    def promote() -> None:
        plan, artifact = ops.plan_promotion()
        ops.schedule_cleanup(ops.switch(plan, artifact))

    return promote


def _for_plan(form: dict[str, Any]) -> dict[str, Any]:
    return {"ops": {"plan": {"config": form}}}


def _for_promotion(form: dict[str, Any]) -> dict[str, Any]:
    return {"ops": {"plan_promotion": {"config": form}}}
