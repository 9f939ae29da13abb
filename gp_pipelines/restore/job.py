"""The job `restore`: how its ops hang together, and what the launchpad asks."""

from typing import Any

import dagster as dg

from gp_pipelines.restore import ops
from gp_pipelines.restore.config import restore_config
from gp_pipelines.services import Services


def restore_job(services: Services) -> dg.JobDefinition:
    @dg.job(
        name="restore",
        description="Bring destroyed data back from a backup, into a new database beside the "
        "present one, which is kept. Users can't write meanwhile. What was written since the "
        "backup is not in the restored data: only for a person who knows that it has to be.",
        config=dg.ConfigMapping(
            config_fn=_for_choose, config_schema=restore_config(services).to_config_schema()
        ),
        executor_def=dg.in_process_executor,
    )
    def restore() -> None:
        choice = ops.confirm(ops.choose())
        # Its step is called as the job is; their definitions may not be.
        restore_data = ops.restore_data.alias("restore")
        for step in (restore_data, ops.verify, ops.repoint):
            choice = step(choice)

    return restore


def _for_choose(form: dict[str, Any]) -> dict[str, Any]:
    return {"ops": {"choose": {"config": form}}}
