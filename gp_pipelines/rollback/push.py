"""Launching a rollback at once for an alert that was sent to the webhook.

For being fast only: the sensor finds the alert in the inbox, should the launch fail or this process
die. What holds an alert back is the same for both (`watch.look`), and the guard is on the target.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.alerts.inbox import Inbox
from gp_pipelines.errors import GpError, quoted
from gp_pipelines.platform import Platform
from gp_pipelines.rollback.launch import JOB, run_config, run_tags
from gp_pipelines.rollback.watch import Memory, Wanted, look

Launch = Callable[[str, Mapping[str, Any], Mapping[str, str]], str]  # job, config, tags → run id

LEFT_TO_THE_SENSOR = ""

log = logging.getLogger(__name__)


class Push:
    """Called with the alerts of one request, in any thread."""

    def __init__(
        self, platform_of: Callable[[str], Platform], inbox: Inbox, launch: Launch
    ) -> None:
        """`launch` raises `GpError` where Dagster does not take the run."""
        self._platform_of = platform_of
        self._inbox = inbox
        self._launch = launch
        self._memories: dict[str, Memory] = {}
        self._lock = threading.Lock()

    def __call__(self, alerts: tuple[Alert, ...]) -> None:
        for service in dict.fromkeys(alert.labels["service"] for alert in alerts):
            own = tuple(each for each in alerts if each.labels["service"] == service)
            with self._lock:  # two alerts for one release are one run
                self._push(service, own)

    def _push(self, service: str, alerts: tuple[Alert, ...]) -> None:
        memory = self._memories.get(service, Memory())
        before = dict(memory.launched)
        try:
            found = look(self._platform_of(service), alerts, memory, time.time(), pushed=True)
        except GpError as error:
            log.warning("%s cannot be judged, and is left to the sensor: %s", service, error.what)
            return
        for note in found.notes:
            log.info("%s: %s", service, note)
        wanted = found.wanted
        if wanted is None:
            return
        try:
            run_id = self._launch(JOB, run_config(wanted), run_tags(wanted))
        except GpError as error:
            memory.launched = before
            log.warning("%s is left to the sensor: %s", service, quoted(error.what))
            self._note(wanted, LEFT_TO_THE_SENSOR)
            return
        self._memories[service] = memory
        log.info("launched rollback run %s of %s: %s", run_id, service, wanted.request.reason)
        self._note(wanted, run_id)

    def _note(self, wanted: Wanted, run_id: str) -> None:
        if wanted.alert is not None:
            self._inbox.launched(wanted.alert, run_id)
