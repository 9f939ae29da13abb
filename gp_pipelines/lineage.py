"""How runs are found again: tags, asset keys, and materializations, a service's history.

Nothing is ever decided on these: anybody who reaches Dagster's webserver can write them.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from gp_pipelines.model import Holder, Plan, Slot
from gp_pipelines.tags import (
    ACTOR,
    COLOR,
    NUMBER,
    RELEASE_ID,
    ROLLED_BACK_BY,
    SERVICE,
    SOURCE_RUN_ID,
    TRIGGER,
    VERSION,
)
from gp_pipelines.targets.contract import Ledger
from gp_pipelines.traffic import events


def live_asset(service: str) -> dg.AssetKey:
    """The asset whose materializations are everything that happened to a service's traffic."""
    return dg.AssetKey([service, "live"])


def live_asset_spec(service: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        live_asset(service),
        group_name="services",
        kinds={"service"},
        description=f"What is live for {service}. Each switch, switch back, rollback and "
        "retirement is a materialization: this page is the service's history. "
        "The truth is on the target (`gp status`).",
    )


def actor_of(tags: Mapping[str, str]) -> str:
    """Who asked for a run: a launcher says so in a tag, Dagster's own UI does not."""
    return tags.get(ACTOR) or tags.get("user") or trigger_of(tags)


def trigger_of(tags: Mapping[str, str]) -> str:
    """What launched a run: cli, workflow, alert:…, schedule, sensor, or else the UI."""
    if TRIGGER in tags:
        return tags[TRIGGER]
    if "dagster/schedule_name" in tags:
        return "schedule"
    return "sensor" if "dagster/sensor_name" in tags else "ui"


def tag_request(
    context: dg.OpExecutionContext,
    service: str,
    version: str | None = None,
    source_run_id: str | None = None,
) -> None:
    """Tag a run with what it was asked for; one launched in the UI has no tags of ours yet.

    `source_run_id` is the run from which this one follows, where its launcher need not know it.
    """
    tags = context.run.tags
    source = source_run_id or tags.get(SOURCE_RUN_ID) or context.run.parent_run_id
    _tag(
        context,
        {
            SERVICE: service,
            **({VERSION: version} if version else {}),
            ACTOR: actor_of(tags),
            TRIGGER: trigger_of(tags),
            SOURCE_RUN_ID: source or context.run_id,
        },
    )


def tag_plan(context: dg.OpExecutionContext, plan: Plan) -> None:
    _tag(context, {RELEASE_ID: plan.release_id, COLOR: plan.color.value, NUMBER: f"{plan.number}"})


def tag_rollback(context: dg.OpExecutionContext, release_id: str, back_to: Slot) -> None:
    """A rollback is of the release that it undoes, and follows from that release's run."""
    _tag(
        context,
        {
            RELEASE_ID: release_id,
            SOURCE_RUN_ID: release_id,
            VERSION: back_to.version,
            COLOR: back_to.color.value,
            NUMBER: f"{back_to.number}",
        },
    )


def link_rollback(context: dg.OpExecutionContext, release_id: str) -> None:
    """Let the undone release's run say who undid it; the rollback's run names the release."""
    if context.instance.get_run_by_id(release_id) is not None:
        context.instance.add_run_tags(release_id, {ROLLED_BACK_BY: context.run_id})


def release_of(tags: Mapping[str, str]) -> str:
    """The release that a run is about, as its tags say; empty for a run that has just begun."""
    return tags.get(RELEASE_ID, "")


def end_preempted(context: dg.OpExecutionContext, holder: Holder | None) -> None:
    """Ask Dagster to end the run whose fence was taken: it can change nothing more.

    Where that can't be asked, it stops by itself at its next change. Nothing waits for it.
    """
    if holder is None or holder.run_id == context.run_id:
        return
    run = context.instance.get_run_by_id(holder.run_id)
    if run is None or run.is_finished:
        return
    try:
        context.instance.run_launcher.terminate(run.run_id)
    except Exception as error:  # whatever a run launcher may raise
        context.log.warning(f"run {run.run_id} could not be ended: {error}")


def report_dead(context: dg.OpExecutionContext, holder: Holder | None) -> None:
    """Tell Dagster that the run from which the fence was taken has died.

    A run whose process was killed stays STARTED there for good: nobody looks after it.
    """
    run = context.instance.get_run_by_id(holder.run_id) if holder else None
    if run is not None and run.run_id != context.run_id and not run.is_finished:
        context.instance.report_run_failed(
            run, f"Its process has died. Run {context.run_id} ended what it had left."
        )


def record_events(context: dg.OpExecutionContext, service: str, ledger: Ledger) -> None:
    """Materialize what happened on the target and is not in Dagster's history yet."""
    for event in events.unrecorded(ledger):
        context.log_event(_materialization(service, event))
        events.recorded(ledger, event.key, context.run_id)


def _materialization(service: str, event: events.Event) -> dg.AssetMaterialization:
    metadata: dict[str, Any] = {
        "what": event.what,
        "before": event.before or "nothing",
        "after": event.after or "nothing",
        "at": dg.MetadataValue.timestamp(event.at),
        "by": f"{event.holder.kind} by {event.holder.actor}",
        "run": run_link(event.holder.run_id),
        **({"release": run_link(event.release_id)} if event.release_id else {}),
        **({"external": "done without Dagster"} if _is_command(event.holder.run_id) else {}),
        **(event.facts or {}),
    }
    if event.reason:
        metadata["reason"] = event.reason
    return dg.AssetMaterialization(
        asset_key=live_asset(service),
        description=f"{event.what}: {event.before or 'nothing'} → {event.after or 'nothing'}",
        metadata=metadata,
        tags={RELEASE_ID: event.release_id} if event.release_id else None,
    )


def run_link(run_id: str) -> dg.MetadataValue[Any]:
    """A link to the run; a command that worked without Dagster has an id and no run."""
    if _is_command(run_id):
        return dg.MetadataValue.text(run_id)
    return dg.MetadataValue.dagster_run(run_id)


def _is_command(run_id: str) -> bool:
    return run_id.startswith("cli-")


def _tag(context: dg.OpExecutionContext, tags: dict[str, str]) -> None:
    context.instance.add_run_tags(context.run_id, tags)
