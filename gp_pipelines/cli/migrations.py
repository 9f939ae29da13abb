"""`gp migrations`: whether migrations would break the version that is live. Without a release."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gp_pipelines.cli.output import FAILED, exit_codes, give, people, say

if TYPE_CHECKING:
    from gp_pipelines.databases.connection import Connector

app = typer.Typer(help="Check migrations before they are applied.", no_args_is_help=True)


@app.callback()
def migrations() -> None:
    """Keeps `check` a command of its own, as others will stand beside it."""


@app.command()
def check(
    sql: Annotated[
        Path, typer.Option(help="A directory: all its .sql files are pending, in name order.")
    ],
    url: Annotated[
        str, typer.Option(help="The live database, which is only read. PGPASSWORD has a password.")
    ],
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
    """Try pending SQL files on a shadow of a database. Exit code 0: compatible, 1: not."""
    from gp_pipelines.databases.compatibility.check import check as try_migrations
    from gp_pipelines.databases.compatibility.finding import Verdict
    from gp_pipelines.databases.compatibility.migrations import sql_files
    from gp_pipelines.databases.compatibility.old_queries import from_file
    from gp_pipelines.databases.compatibility.shadow import SERVER_SETTINGS
    from gp_pipelines.databases.pg_tools import PgTools
    from gp_pipelines.wiring import postgres_program, scratch_apart

    with exit_codes(as_json):
        report = try_migrations(
            _connector(url),
            sql_files(sql),
            scratch=lambda: scratch_apart(SERVER_SETTINGS),
            tools=PgTools(postgres_program),
            queries=from_file(queries) if queries else None,
            role=role,
            progress=say,
        )
        give(report.as_object(), as_json)
        if not as_json:
            people.print(report.as_markdown(), markup=False, soft_wrap=True)
        if report.verdict is not Verdict.COMPATIBLE:
            raise typer.Exit(FAILED)


def _connector(url: str) -> "Connector":
    """Raises `ConfigInvalid` for a URL that is none, or that everybody could read a password in."""
    from gp_pipelines.databases.connection import Connector
    from gp_pipelines.errors import ConfigInvalid

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
