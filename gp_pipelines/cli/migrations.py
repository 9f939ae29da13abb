"""`gp migrations`: whether migrations would break the version that is live. Without a release."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gp_pipelines.cli.output import FAILED, exit_codes, give, people, say
from gp_pipelines.databases.compatibility.finding import Report, Verdict
from gp_pipelines.errors import ConfigInvalid

if TYPE_CHECKING:
    from gp_pipelines.databases.connection import Connector

app = typer.Typer(help="Check migrations before they are applied.", no_args_is_help=True)


@app.callback()
def migrations() -> None:
    """Keeps `check` a command of its own, as others will stand beside it."""


@app.command()
def check(
    service: Annotated[str | None, typer.Argument(help="A service of services.yaml.")] = None,
    version: Annotated[
        str | None, typer.Argument(help="The version whose pending migrations are tried.")
    ] = None,
    sql: Annotated[
        Path | None,
        typer.Option(help="A directory: all its .sql files are pending, in name order."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The live database, which is only read. PGPASSWORD has a password."),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(help="What the live version asks: statements with $1, each ended by `;`."),
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="The role that the live version runs as. Else the URL's.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout; progress goes to stderr.")
    ] = False,
) -> None:
    """Try pending migrations on a shadow of the database. Exit code 0: compatible, 1: not.

    Of a VERSION of a SERVICE, as its release would; or of any directory (--sql) for any database
    (--url), without services.yaml.
    """
    with exit_codes(as_json):
        if service and version and not (sql or url or queries or role):
            checked = _of_version(service, version)
        elif sql and url and not service:
            checked = _of_files(sql, url, queries, role), {}
        else:
            raise ConfigInvalid(
                "It is not clear what to check.",
                state="Nothing was checked.",
                advice="Either `gp migrations check SERVICE VERSION`, or "
                "`gp migrations check --sql DIR --url URL [--queries FILE] [--role ROLE]`.",
            )
        report, more = checked
        give({**report.as_object(), **more}, as_json)
        if not as_json:
            people.print(report.as_markdown(), markup=False, soft_wrap=True)
        if report.verdict is not Verdict.COMPATIBLE:
            raise typer.Exit(FAILED)


def _of_version(service: str, version: str) -> tuple[Report, dict[str, Any]]:
    """With the migrations that are pending, and what was proved of which version."""
    from gp_pipelines.cli.project import Project
    from gp_pipelines.migrating import gate
    from gp_pipelines.services import check_version

    platform = Project().platforms[service]
    artifact = platform.artifacts.provide(
        check_version(version), say, platform.service.timeouts.build
    )
    if platform.database is None:
        say(f"{service} has no database.")
        return Report(()), {"pending": [], "proved": []}
    pending = platform.database.pending(artifact, say)
    if not pending:
        say("Nothing is pending.")
        return Report(()), {"pending": [], "proved": []}
    say(f"pending: {', '.join(pending.versions)}")
    judgement = gate.judge(platform, artifact, say)
    return judgement.report, {"pending": list(pending.versions), "proved": judgement.proved()}


def _of_files(sql: Path, url: str, queries: Path | None, role: str | None) -> Report:
    from gp_pipelines.databases.compatibility.check import check as try_migrations
    from gp_pipelines.databases.compatibility.migrations import sql_files
    from gp_pipelines.databases.compatibility.old_queries import from_file
    from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS
    from gp_pipelines.databases.pg_tools import PgTools
    from gp_pipelines.wiring import postgres_program, scratch_apart

    return try_migrations(
        _connector(url),
        sql_files(sql),
        scratch=lambda: scratch_apart(SERVER_SETTINGS),
        tools=PgTools(postgres_program),
        queries=from_file(queries) if queries else None,
        role=role,
        progress=say,
    )


def _connector(url: str) -> "Connector":
    """Raises `ConfigInvalid` for a URL that is none, or that everybody could read a password in."""
    from gp_pipelines.databases.connection import Connector

    connector = Connector(
        lambda: url,
        advice="See whether the server runs, and whether --url and PGPASSWORD are right.",
    )
    connector.describe()
    if len(connector.secrets()) > 1:
        raise ConfigInvalid(
            "--url has a password in it, which the list of processes shows to everybody.",
            state="Nothing was checked.",
            advice="Leave it out; put it into PGPASSWORD, or into a password file (PGPASSFILE).",
        )
    return connector
