"""Where jobs, sensors, schedules, assets and resources meet; nothing else.

Loads without the target running: only services.yaml is read.
"""

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.cleanup.job import cleanup_job, contract_job, reconcile_job
from gp_pipelines.cleanup.reconcile import reconciler
from gp_pipelines.cleanup.sensors import cleanup_schedule, reconcile_sensor
from gp_pipelines.release.job import promote_job, release_job
from gp_pipelines.release.resource import attempts_resource
from gp_pipelines.restore.job import restore_job
from gp_pipelines.restore.resource import restores_resource
from gp_pipelines.restore.unfinished import end_restore
from gp_pipelines.rollback.job import rollback_job
from gp_pipelines.rollback.resource import rollbacks_resource
from gp_pipelines.rollback.sensors import rollback_sensor
from gp_pipelines.wiring import Platforms


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs(Platforms.load())


def build_defs(platforms: Platforms) -> dg.Definitions:
    """The whole project for `platforms`: tests come with their own."""
    services = platforms.services
    cleanup, reconciliation = cleanup_job(services), reconcile_job(services)
    rollback = rollback_job(services)
    reconcile = reconciler(end_restore)
    return dg.Definitions(
        assets=[lineage.live_asset_spec(name) for name in services.names],
        jobs=[
            release_job(services),
            promote_job(services),
            rollback,
            restore_job(services),
            cleanup,
            contract_job(services),
            reconciliation,
        ],
        schedules=[cleanup_schedule(platforms, cleanup)],
        sensors=[
            reconcile_sensor(platforms, reconciliation),
            rollback_sensor(platforms, rollback),
        ],
        resources={
            "platforms": dg.ResourceDefinition.hardcoded_resource(platforms),
            "attempts": attempts_resource(platforms, reconcile),
            "rollbacks": rollbacks_resource(platforms, reconcile),
            "restores": restores_resource(platforms, reconcile),
            "reconcile": dg.ResourceDefinition.hardcoded_resource(reconcile),
        },
    )
