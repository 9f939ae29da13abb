"""The job `rollback`: how its ops hang together, and what the launchpad asks."""

from typing import Any

import dagster as dg

from gp_pipelines.rollback import ops
from gp_pipelines.rollback.config import rollback_config
from gp_pipelines.services import Services


def rollback_job(services: Services) -> dg.JobDefinition:
    @dg.job(
        name="rollback",
        description="Send the traffic back to the version before, whatever else is at work: it "
        "takes the fence from a running release. Within the retention time that is a switch; "
        "after it the old version is first brought up again. Launched by alerts, too.",
        config=dg.ConfigMapping(
            config_fn=_for_assess, config_schema=rollback_config(services).to_config_schema()
        ),
        executor_def=dg.in_process_executor,
    )
    def rollback() -> None:
        found, done = ops.switch_back(ops.restore_previous(ops.assess()))
        ops.record(found, ops.quarantine(found, done))

    return rollback


def _for_assess(form: dict[str, Any]) -> dict[str, Any]:
    return {"ops": {"assess": {"config": form}}}
