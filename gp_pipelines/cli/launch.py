"""Launch a job in Dagster and follow it: what `gp release`, `promote` and `cleanup` share."""

import getpass
import time
from collections.abc import Mapping
from typing import Any

import typer

from gp_pipelines import tags
from gp_pipelines.cli.dagster_api import DagsterApi
from gp_pipelines.cli.follow import follow
from gp_pipelines.cli.output import DONE, FAILED, give, progress, say
from gp_pipelines.cli.project import Project
from gp_pipelines.cli.run_view import RunView
from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.rollback.launch import JOB as ROLLBACK

GOOD = {
    "done": "",
    "waiting": "; what was proved waits for `gp promote` or `gp reject`",
    "already": "; nothing was left to be rolled back",
}


def launch(
    project: Project, job: str, service: str, *, wait: bool, as_json: bool, **form: Any
) -> None:
    """Exits with 0 if the run did what was asked, or was only to be launched; else with 1.

    `form` is what the job asks beside the service. Raises `ConfigInvalid` for an unknown service.
    """
    config = {"service": project.platforms.services[service].name, **form}
    url = project.dagster_url()
    if url is None:
        raise TargetUnavailable(
            "Dagster is not running.",
            state="Nothing was changed.",
            advice="`gp up` starts it; `gp status` works without it.",
        )
    api = DagsterApi(url)
    began = time.monotonic()
    run_id = api.launch(job, config, _tags(config))
    say(
        f"{job} {' '.join(str(v) for v in config.values() if isinstance(v, str))}: "
        f"{api.run_url(run_id)}"
    )
    if not wait:
        give({"run_id": run_id, "outcome": "launched", "url": api.run_url(run_id)}, as_json)
        return
    view = follow(api, run_id)
    seconds = time.monotonic() - began
    result = _result(api, view, config, seconds)
    release_id = view.tags.get(tags.RELEASE_ID)
    result["release"] = project.release(config["service"], release_id) if release_id else None
    if job == ROLLBACK:
        undone = config["release_id"] or release_id
        result["rollback"] = project.rollback(config["service"], undone) if undone else None
    _tell(view, seconds)
    give(result, as_json)
    raise typer.Exit(DONE if view.outcome in GOOD else FAILED)


def _tags(config: Mapping[str, Any]) -> dict[str, str]:
    found = {tags.TRIGGER: "cli", tags.ACTOR: getpass.getuser(), tags.SERVICE: config["service"]}
    return found | ({tags.VERSION: config["version"]} if config.get("version") else {})


def _tell(view: RunView, seconds: float) -> None:
    if view.outcome in GOOD:
        progress.print(f"[bold green]✓[/] done in {seconds:.1f} s{GOOD[view.outcome]}")
    else:
        progress.print(f"[bold red]✗ {view.outcome}[/] after {seconds:.1f} s")
        say(view.failure or f"The run ended as {view.status}.")


def _result(
    api: DagsterApi, view: RunView, config: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    now = time.time()
    return {
        "run_id": view.run_id,
        "release_id": view.tags.get(tags.RELEASE_ID),
        **config,
        "outcome": view.outcome,
        "steps": {
            step.name: round(step.seconds(now), 3)
            for step in view.steps.values()
            if step.state != "skipped"
        },
        "seconds": round(seconds, 3),
        "url": api.run_url(view.run_id),
        "error": view.failure or None,
    }
