from datetime import UTC, datetime

from gp_pipelines.notifications.contract import Kind, Notification, Severity

AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)

A_NOTIFICATION = Notification(
    kind=Kind.ROLLBACK_SUCCEEDED,
    service="api",
    title="api is back on v2",
    what="v4 failed 50 of 100 requests.\nTraffic is on v2, verified.",
    severity=Severity.CRITICAL,
    at=AT,
    run_id="run-7",
    url="http://dagster/runs/run-7",
    facts={"from": "v4", "to": "v2"},
)
