"""What the webhook counts, for Prometheus. No alert's label is in it: those are a stranger's."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge


class WebhookMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "gp_webhook_requests", "Requests with alerts, by answer.", ["status"], registry=registry
        )
        self._alerts = Counter(
            "gp_webhook_alerts",
            "Alerts in requests whose sender was known.",
            ["outcome"],
            registry=registry,
        )
        self._last = Gauge(
            "gp_webhook_last_accepted_timestamp_seconds",
            "When an alert was accepted for the last time; 0: never since the start.",
            registry=registry,
        )

    def answered(self, status: int) -> None:
        self._requests.labels(str(status)).inc()

    def took(self, accepted: int, left_out: int) -> None:
        self._alerts.labels("accepted").inc(accepted)
        self._alerts.labels("left_out").inc(left_out)
        if accepted:
            self._last.set(time.time())
