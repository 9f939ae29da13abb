"""The jobs `cleanup` and `reconcile`: one op each, for one service."""

import dagster as dg

from gp_pipelines.cleanup import ops
from gp_pipelines.launchpad import service_config
from gp_pipelines.services import Services


def cleanup_job(services: Services) -> dg.JobDefinition:
    return _job(
        "cleanup",
        ops.retire_due,
        services,
        asks_for="The service whose due slots are retired.",
        description="Retire the slots whose retention has run out: prove that nothing uses them, "
        "drain them, remove them. Launched by a schedule where something is due.",
    )


def reconcile_job(services: Services) -> dg.JobDefinition:
    return _job(
        "reconcile",
        ops.end_what_is_left,
        services,
        asks_for="The service on which a dead run has left something.",
        description="End what a dead run left: confirm or switch back its switch, remove its "
        "slots, finish its retirements. Launched by a sensor where something is to be ended.",
    )


def _job(
    name: str, op: dg.OpDefinition, services: Services, *, asks_for: str, description: str
) -> dg.JobDefinition:
    @dg.job(
        name=name,
        description=description,
        config=dg.ConfigMapping(
            config_fn=lambda form: {"ops": {op.name: {"config": form}}},
            config_schema=service_config(services, asks_for).to_config_schema(),
        ),
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        op()

    return job
