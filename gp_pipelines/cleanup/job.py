"""The jobs `cleanup`, `contract` and `reconcile`, each for one service."""

from typing import Any

import dagster as dg
from pydantic import Field, create_model

from gp_pipelines.cleanup import ops
from gp_pipelines.launchpad import service_choice, service_config
from gp_pipelines.services import Services


def cleanup_job(services: Services) -> dg.JobDefinition:
    @dg.job(
        name="cleanup",
        description="Retire the slots whose retention has run out: prove that nothing uses them, "
        "drain them, remove them. Then, where services.yaml wants it, the contract phase of the "
        "version that is live. Launched by a schedule where something is due.",
        config=_mapping(
            service_config(services, "The service whose due slots are retired."),
            "retire_due",
            "contract_when_due",
        ),
        executor_def=dg.in_process_executor,
    )
    def cleanup() -> None:
        ops.contract_when_due(ops.retire_due())

    return cleanup


def contract_job(services: Services) -> dg.JobDefinition:
    @dg.job(
        name="contract",
        description="The contract phase: once no older version stands, apply the migrations that "
        "take away what only older versions used. Backed up and judged as those of a release. A "
        "rollback to an older version may be closed by it.",
        config=_mapping(_contract_form(services), "contract_schema"),
        executor_def=dg.in_process_executor,
    )
    def contract() -> None:
        ops.contract_schema()

    return contract


def reconcile_job(services: Services) -> dg.JobDefinition:
    @dg.job(
        name="reconcile",
        description="End what a dead run left: confirm or switch back its switch, remove its "
        "slots, finish its retirements. Launched by a sensor where something is to be ended.",
        config=_mapping(
            service_config(services, "The service on which a dead run has left something."),
            "end_what_is_left",
        ),
        executor_def=dg.in_process_executor,
    )
    def reconcile() -> None:
        ops.end_what_is_left()

    return reconcile


def _contract_form(services: Services) -> type[dg.Config]:
    fields: dict[str, Any] = {
        "service": (
            service_choice(services),
            Field(description="The service whose live version brings such migrations."),
        ),
        "accept_findings": (
            str,
            Field(
                default="",
                max_length=500,
                description="Why they are applied although the gate has findings. Recorded.",
            ),
        ),
    }
    return create_model("ContractConfig", __base__=dg.Config, **fields)


def _mapping(form: type[dg.Config], *ops: str) -> dg.ConfigMapping:
    """Each of `ops` gets what the launchpad asked for."""
    return dg.ConfigMapping(
        config_fn=lambda asked: {"ops": {op: {"config": asked} for op in ops}},
        config_schema=form.to_config_schema(),
    )
