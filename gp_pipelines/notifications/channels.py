"""Where notifications go. The addresses are secrets: whoever has one can write there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gp_pipelines.notifications.cloudevents import CONTENT_TYPE, cloud_event
from gp_pipelines.notifications.contract import Notification
from gp_pipelines.notifications.slack import slack_message
from gp_pipelines.notifications.teams import teams_message


@dataclass(frozen=True, slots=True)
class Channel:
    """Shown by the name of its variable, and never by its address."""

    variable: str
    url: str = field(repr=False)
    render: Callable[[Notification], dict[str, Any]]
    content_type: str


FORMATS: dict[str, tuple[Callable[[Notification], dict[str, Any]], str]] = {
    "GP_NOTIFY_WEBHOOK_URL": (cloud_event, CONTENT_TYPE),
    "GP_NOTIFY_SLACK_URL": (slack_message, "application/json"),
    "GP_NOTIFY_TEAMS_URL": (teams_message, "application/json"),
}
VARIABLES = tuple(FORMATS)


def configured(environment: Mapping[str, str]) -> tuple[Channel, ...]:
    """Those whose variable holds something."""
    return tuple(
        Channel(variable, url, render, content_type)
        for variable, (render, content_type) in FORMATS.items()
        if (url := environment.get(variable, "").strip())
    )
