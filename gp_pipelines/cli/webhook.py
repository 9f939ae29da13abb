"""`gp webhook`: takes alerts until it is ended."""

import os

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.alerts.credentials import Credentials
from gp_pipelines.alerts.webhook import create_app
from gp_pipelines.alerts.webhook_server import serve
from gp_pipelines.cli.project import Project


def run_webhook(project: Project, host: str, port: int | None) -> None:
    """Raises `ConfigInvalid`, and `TargetUnavailable` for a port that is taken."""
    platforms = project.platforms
    credentials = Credentials.find(os.environ, platforms.home.webhook)
    app = create_app(platforms.inbox, credentials, platforms.services.names, _accepted)
    serve(app, host, project.webhook_port(port))


def _accepted(alerts: tuple[Alert, ...]) -> None:
    """Nothing more is done: the sensor finds them in the inbox."""
