"""`gp webhook`: takes alerts until it is ended, launches rollbacks, and watches who else does."""

import os
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from gp_pipelines.alerts.credentials import Credentials
from gp_pipelines.alerts.webhook import create_app
from gp_pipelines.alerts.webhook_server import serve
from gp_pipelines.cli.dagster_api import DagsterApi
from gp_pipelines.cli.project import Project
from gp_pipelines.cli.vigil import VigilMetrics, tell_people, watching
from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.rollback.push import Push
from gp_pipelines.rollback.vigil import DagsterState, Vigil

SENSOR = "rollback_on_alert"


def run_webhook(project: Project, host: str, port: int | None) -> None:
    """Raises `ConfigInvalid`, and `TargetUnavailable` for a port that is taken."""
    platforms = project.platforms
    credentials = Credentials.find(os.environ, platforms.home.webhook)
    dagster, registry = _Dagster(project), CollectorRegistry()
    names = platforms.services.names
    vigil = Vigil({name: platforms[name] for name in names}, dagster.sensor_state)
    metrics = VigilMetrics(registry)
    app = create_app(
        platforms.inbox,
        credentials,
        names,
        Push(platforms.__getitem__, platforms.inbox, dagster.launch),
        registry=registry,
        background=lambda: watching(vigil, metrics, tell_people),
    )
    serve(app, host, project.webhook_port(port))


class _Dagster:
    """The webserver wherever it is by now; every method raises `GpError` while it is nowhere."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._api: DagsterApi | None = None

    def launch(self, job: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        return self._present().launch(job, config, tags)

    def sensor_state(self) -> DagsterState:
        return self._present().sensor_state(SENSOR)

    def _present(self) -> DagsterApi:
        url = os.environ.get("GP_DAGSTER_URL") or self._project.dagster_url()
        if url is None:
            raise TargetUnavailable(
                "Dagster's webserver does not run.", advice="`gp up` starts it."
            )
        if self._api is None or self._api.url != url.rstrip("/"):
            self._api = DagsterApi(url)
        return self._api
