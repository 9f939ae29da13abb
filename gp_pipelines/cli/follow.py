"""Follow a run to its end: a live table in a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gp_pipelines.cli.dagster_api import DagsterApi
from gp_pipelines.cli.output import progress, say
from gp_pipelines.cli.run_view import RunView

POLL_SECONDS = 0.25
_STYLES = {"running": "cyan", "done": "green", "failed": "bold red", "skipped": "dim"}


def follow(api: DagsterApi, run_id: str) -> RunView:
    """The run once it has ended. Ctrl-C ends only the following; the run goes on.

    Raises `TargetUnavailable` if Dagster goes away; the run goes on then, too.
    """
    view = RunView(run_id)
    try:
        if progress.is_terminal:
            _follow_live(api, view)
        else:
            _follow_lines(api, view)
    except KeyboardInterrupt:
        say(f"The run goes on: {api.run_url(run_id)}")
        say("To end it, terminate it there; what it has begun is undone then.")
        raise
    return view


def _follow_live(api: DagsterApi, view: RunView) -> None:
    with Live(console=progress, refresh_per_second=8, transient=False) as live:
        for _ in _looks(api, view):
            live.update(_drawn(view))


def _follow_lines(api: DagsterApi, view: RunView) -> None:
    for _ in _looks(api, view):
        for line in view.lines:
            say(line)


def _looks(api: DagsterApi, view: RunView) -> Iterator[None]:
    """Keep `view` up to date until the run has ended; once for each look at it."""
    cursor = None
    while True:
        news = api.events(view.run_id, cursor)
        cursor = news.cursor
        view.take(news)
        yield
        if view.ended:
            return
        time.sleep(POLL_SECONDS)


def _drawn(view: RunView) -> Group:
    table = Table(box=None, show_header=False, pad_edge=True)
    now = time.time()
    for step in view.steps.values():
        style = _STYLES[step.state]
        seconds = "" if step.state == "skipped" else f"{step.seconds(now):.1f} s"
        said = step.said.splitlines()[0] if step.said else ""
        table.add_row(
            Text(step.mark, style), Text(step.name, style), seconds, Text(said, style="dim")
        )
    return Group(table, Text(f"  {view.status.lower()}", style="dim"))
