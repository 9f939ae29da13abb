"""The webhook's second task: watch Dagster's daemon and sensor, for metrics and for people."""

import logging
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge

from gp_pipelines.errors import quoted
from gp_pipelines.notifications.contract import Kind, Notification, Severity
from gp_pipelines.notifications.notify import notify
from gp_pipelines.rollback.vigil import EVERY_SECONDS, Change, Vigil

log = logging.getLogger(__name__)


class VigilMetrics:
    """What an alert on "nobody watches" is made of, where there is a Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._daemon = Gauge(
            "gp_dagster_sensor_daemon_heartbeat_timestamp_seconds",
            "The last sign of life of Dagster's sensor daemon; 0: none was seen.",
            registry=registry,
        )
        self._tick = Gauge(
            "gp_rollback_sensor_tick_timestamp_seconds",
            "The last tick of the sensor rollback_on_alert; 0: none was seen.",
            registry=registry,
        )
        self._watched = Gauge(
            "gp_service_watched",
            "1 while alerts can roll the service back by themselves.",
            ["service"],
            registry=registry,
        )

    def show(self, vigil: Vigil) -> None:
        self._daemon.set(vigil.daemon_at or 0)
        self._tick.set(vigil.tick_at or 0)
        for service, why_not in vigil.not_watched.items():
            self._watched.labels(service).set(0 if why_not else 1)


@asynccontextmanager
async def watching(
    vigil: Vigil, metrics: VigilMetrics, tell: Callable[[Change], None]
) -> AsyncIterator[None]:
    """Look again and again, in a thread of its own, for as long as the webhook runs."""
    stopped = threading.Event()

    def run() -> None:
        while not stopped.wait(EVERY_SECONDS):
            try:
                changes = vigil.look()
                metrics.show(vigil)
                for change in changes:
                    tell(change)
            except Exception as error:  # whoever watches must not die of what it sees
                log.error("could not look: %s", quoted(f"{type(error).__name__}: {error}"))

    thread = threading.Thread(target=run, name="gp-vigil", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()


def tell_people(change: Change) -> None:
    service, why_not = change.service, change.why_not
    log.warning("%s is %s", service, f"not watched: {why_not}" if why_not else "watched again")
    notification = Notification(
        kind=Kind.NOT_WATCHED if why_not else Kind.WATCHED_AGAIN,
        service=service,
        title=f"{service} is {'NOT WATCHED' if why_not else 'watched again'}",
        what=f"No alert rolls it back by itself: {why_not}.\n`gp rollback {service} --now` works."
        if why_not
        else "Alerts roll it back by themselves again.",
        severity=Severity.CRITICAL if why_not else Severity.INFO,
        at=datetime.now(UTC),
    )
    notify(notification, environment=os.environ, progress=log.info)
