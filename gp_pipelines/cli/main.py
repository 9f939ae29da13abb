"""`gp`: the command line. Each command reads the target or asks Dagster; none decides anything."""

from typing import Annotated, Literal

import typer

from gp_pipelines.cli import migrations
from gp_pipelines.cli.output import exit_codes, give, people, say
from gp_pipelines.cli.project import Project

app = typer.Typer(
    name="gp",
    help="Release services blue-green with zero downtime.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(migrations.app, name="migrations")

Service = Annotated[str, typer.Argument(help="A service of services.yaml.")]
AnyService = Annotated[
    str | None, typer.Argument(help="A service of services.yaml; all of them without.")
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout; progress goes to stderr.")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Launch the run, and do not follow it.")]
Reason = Annotated[str, typer.Option(help="Why; it is recorded with your name.")]
Why = Reason  # without a default: it has to be said


@app.command()
def up(
    no_dagster: Annotated[
        bool, typer.Option("--no-dagster", help="Without Dagster's webserver and daemon.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start everything: entrance, database, webhook, Dagster. Repairs what is half up."""
    with exit_codes(as_json):
        addresses = Project().stack.up(not no_dagster, say)
        give(
            {
                "dagster_url": addresses.dagster,
                "webhook_url": addresses.webhook,
                "entrances": dict(addresses.entrances),
            },
            as_json,
            "\n".join(
                [
                    *(f"{name}: {url}" for name, url in addresses.entrances.items()),
                    f"Alerts: {addresses.webhook or 'not taken'}",
                    f"Dagster: {addresses.dagster or 'not started'}",
                ]
            ),
        )


@app.command()
def webhook(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The port; without it the one kept for it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take alerts over HTTP until it is ended. `gp up` has one running."""
    from gp_pipelines.cli.webhook import run_webhook

    with exit_codes(as_json):
        run_webhook(Project(), host, port)


@app.command()
def down(
    purge: Annotated[bool, typer.Option("--purge", help="Remove all data, too.")] = False,
    as_json: Json = False,
) -> None:
    """Stop everything, the live versions too. The data is kept, and `gp up` goes on with it."""
    with exit_codes(as_json):
        Project().stack.down(purge, say)
        kept = "removed" if purge else "kept"
        give({"stopped": True, "data": kept}, as_json, f"Everything is stopped; data is {kept}.")


@app.command()
def status(service: AnyService = None, as_json: Json = False) -> None:
    """What is live, idle, waiting, and what a rollback would find. Works when Dagster is down."""
    from gp_pipelines.cli.status import as_object, as_text
    from gp_pipelines.status import read_status

    with exit_codes(as_json):
        project = Project()
        statuses = [read_status(platform) for platform in project.named(service)]
        url = project.dagster_url()
        webhook = project.webhook_url()
        give(
            {
                "dagster_url": url,
                "webhook_url": webhook,
                "services": [as_object(each) for each in statuses],
            },
            as_json,
            as_text(statuses, url, webhook),
        )


@app.command()
def release(
    service: Service,
    version: Annotated[str, typer.Argument(help="The version to release.")],
    redeploy: Annotated[
        bool, typer.Option("--redeploy", help="Even if this very version is live.")
    ] = False,
    allow_downgrade: Annotated[
        bool, typer.Option("--allow-downgrade", help="Even if it is older than the live version.")
    ] = False,
    manual: Annotated[
        bool, typer.Option("--manual", help="Stop before the switch, and wait for `gp promote`.")
    ] = False,
    replace_previous: Annotated[
        bool, typer.Option("--replace-previous", help="Even while the last release bakes.")
    ] = False,
    accept_findings: Annotated[
        str,
        typer.Option(
            metavar="REASON", help="Even if its migrations break the live version; why they may."
        ),
    ] = "",
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Release a version: launch the run in Dagster and follow it to its end."""
    from gp_pipelines.cli.launch import launch
    from gp_pipelines.services import check_version

    with exit_codes(as_json):
        check_version(version)
        launch(
            Project(),
            "release",
            service,
            version=version,
            redeploy=redeploy,
            allow_downgrade=allow_downgrade,
            manual=manual,
            replace_previous=replace_previous,
            accept_findings=accept_findings,
            wait=not no_wait,
            as_json=as_json,
        )


@app.command()
def promote(service: Service, no_wait: NoWait = False, as_json: Json = False) -> None:
    """Send the traffic to the release that waits, after proving it afresh."""
    from gp_pipelines.cli.launch import launch

    with exit_codes(as_json):
        launch(Project(), "promote", service, wait=not no_wait, as_json=as_json)


@app.command()
def reject(service: Service, reason: Reason = "not wanted", as_json: Json = False) -> None:
    """Remove the slot of the release that waits. Works when Dagster is down."""
    from gp_pipelines.cleanup.reconcile import reconciler
    from gp_pipelines.release.attempt import Attempt, RunIdentity
    from gp_pipelines.release.promotion import reject as reject_waiting
    from gp_pipelines.restore.unfinished import end_restore

    with exit_codes(as_json):
        project = Project()
        platform = project.platforms[service]
        holder = project.holder("reject")
        run = RunIdentity(holder.run_id, holder.release_id, holder.kind, holder.actor)
        attempt = Attempt(platform, run, reconciler(end_restore), say)
        try:
            rejected = reject_waiting(attempt, reason)
        finally:
            attempt.close()
        give({"service": service, "rejected": rejected}, as_json, f"{rejected} is removed.")


@app.command()
def rollback(
    service: Service,
    reason: Reason = "asked for",
    now: Annotated[
        bool, typer.Option("--now", help="Straight on the target, without Dagster: it may be down.")
    ] = False,
    release: Annotated[
        str, typer.Option(help="The release to undo: its number, or its id. Else what is live.")
    ] = "",
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Send the traffic back to the version before, whatever else is at work."""
    from gp_pipelines.cli.rollback import launch_rollback, roll_back_now

    with exit_codes(as_json):
        if now:
            roll_back_now(Project(), service, release, reason, as_json)
        else:
            launch_rollback(Project(), service, release, reason, wait=not no_wait, as_json=as_json)


@app.command()
def backups(service: Service, as_json: Json = False) -> None:
    """The backups of a service's data, and what would be lost by going back to each."""
    from gp_pipelines.cli.backups import list_backups

    with exit_codes(as_json):
        list_backups(Project(), service, as_json)


@app.command()
def restore(
    service: Service,
    reason: Why,
    backup: Annotated[str, typer.Option(help="Its id, as `gp backups` has it.")] = "",
    version: Annotated[
        str, typer.Option(help="That works with the restored data. Else the live one.")
    ] = "",
    confirm: Annotated[
        str, typer.Option(help="The service's name: what was written since the backup is lost.")
    ] = "",
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Bring destroyed data back from a backup, into a new database beside the present one."""
    from gp_pipelines.cli.backups import launch_restore

    with exit_codes(as_json):
        launch_restore(Project(), service, backup, version, reason, confirm, not no_wait, as_json)


@app.command()
def freeze(service: Service, reason: Why, as_json: Json = False) -> None:
    """Nothing is released or promoted until `gp unfreeze`. A rollback always may."""
    from gp_pipelines.cli import restrict

    with exit_codes(as_json):
        restrict.freeze(Project(), service, reason, as_json)


@app.command()
def unfreeze(service: Service, reason: Why, as_json: Json = False) -> None:
    """Releases may go on, and alerts may roll back again."""
    from gp_pipelines.cli import restrict

    with exit_codes(as_json):
        restrict.unfreeze(Project(), service, reason, as_json)


@app.command()
def snooze(
    service: Service,
    reason: Why,
    span: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d.")] = "1h",
    as_json: Json = False,
) -> None:
    """Alerts launch nothing for a while. `gp watch` ends that."""
    from gp_pipelines.cli import restrict

    with exit_codes(as_json):
        restrict.snooze(Project(), service, span, reason, as_json)


@app.command()
def watch(service: Service, as_json: Json = False) -> None:
    """End a snooze: alerts roll back again."""
    from gp_pipelines.cli import restrict

    with exit_codes(as_json):
        restrict.watch(Project(), service, as_json)


@app.command()
def quarantine(
    service: Service,
    version: Annotated[str, typer.Argument(help="A version that was built.")],
    reason: Why,
    lift: Annotated[bool, typer.Option("--lift", help="It may be released again.")] = False,
    as_json: Json = False,
) -> None:
    """This version, as it was built and is configured, may not be released (again)."""
    from gp_pipelines.cli import restrict

    with exit_codes(as_json):
        restrict.quarantine(Project(), service, version, lift, reason, as_json)


@app.command()
def cleanup(service: Service, no_wait: NoWait = False, as_json: Json = False) -> None:
    """Retire what is due now, without waiting for the schedule."""
    from gp_pipelines.cli.launch import launch

    with exit_codes(as_json):
        launch(Project(), "cleanup", service, wait=not no_wait, as_json=as_json)


@app.command()
def contract(
    service: Service,
    accept_findings: Annotated[
        str, typer.Option(metavar="REASON", help="Whatever the gate finds; why it may be.")
    ] = "",
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Take out of the database what only older versions used, once none of them stands."""
    from gp_pipelines.cli.launch import launch

    with exit_codes(as_json):
        launch(
            Project(),
            "contract",
            service,
            accept_findings=accept_findings,
            wait=not no_wait,
            as_json=as_json,
        )


@app.command()
def repair(
    service: Service,
    to: Annotated[
        Literal["recorded", "observed"],
        typer.Option(help="Traffic back to what is recorded, or the record to where it goes."),
    ],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """End a drift: somebody changed by hand where the traffic goes, or the record is lost."""
    from gp_pipelines.cleanup.repair import repair as end_drift

    with exit_codes(as_json):
        project = Project()
        live = end_drift(project.platforms[service], project.holder("repair"), to, reason, say)
        give({"service": service, "live": live}, as_json, f"{service}: {live} is live, verified.")


@app.command()
def logs(
    service: Service,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """The last log lines of every replica, the live slot's first."""
    with exit_codes(as_json):
        target = Project().platforms[service].target
        live = target.traffic.read().record.live
        names = [each.slot.name for each in target.slots.list()]
        names.sort(key=lambda name: live is None or name != live.name)
        found = {name: dict(target.slots.logs(name, lines)) for name in names}
        give({"service": service, "slots": found}, as_json)
        if not as_json:
            for replicas in found.values():
                for replica, text in replicas.items():
                    people.rule(replica, align="left")
                    people.print(text, markup=False, soft_wrap=True)


if __name__ == "__main__":
    app()
