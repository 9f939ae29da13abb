"""The jobs `cleanup` and `reconcile`."""

from typing import Any

import dagster as dg

from gp_pipelines.cleanup import ops
from gp_pipelines.launchpad import service_config
from gp_pipelines.services import Services


def cleanup_job(services: Services) -> dg.JobDefinition:
    form = service_config(services, "The service whose due slots are retired.")

    @dg.job(
        name="cleanup",
        description="Retire the slots whose retention has run out: prove that nothing uses them, "
        "drain them, remove them. Launched by a schedule where something is due.",
        config=dg.ConfigMapping(
            config_fn=_for("retire_due"), config_schema=form.to_config_schema()
        ),
        executor_def=dg.in_process_executor,
    )
    def cleanup() -> None:
        ops.retire_due()

    return cleanup


def reconcile_job(services: Services) -> dg.JobDefinition:
    form = service_config(services, "The service on which a dead run has left something.")

    @dg.job(
        name="reconcile",
        description="End what a dead run left: confirm or switch back its switch, remove its "
        "slots, finish its retirements. Launched by a sensor where something is to be ended.",
        config=dg.ConfigMapping(
            config_fn=_for("end_what_is_left"), config_schema=form.to_config_schema()
        ),
        executor_def=dg.in_process_executor,
    )
    def reconcile() -> None:
        ops.end_what_is_left()

    return reconcile


def _for(op: str) -> Any:
    return lambda form: {"ops": {op: {"config": form}}}
