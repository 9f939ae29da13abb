"""A CloudEvents 1.0 event in structured JSON: for whatever reads events.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import uuid
from typing import Any

from gp_pipelines.notifications.contract import Notification

CONTENT_TYPE = "application/cloudevents+json"


def cloud_event(notification: Notification) -> dict[str, Any]:
    """Made once for all tries: a receiver knows by its `id` what it has had already."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": f"/gp-pipelines/services/{notification.service}",
        "type": f"gp-pipelines.{notification.kind}",
        "subject": notification.service,
        "time": notification.at.isoformat(),
        "datacontenttype": "application/json",
        "data": {
            "kind": notification.kind,
            "service": notification.service,
            "severity": notification.severity,
            "title": notification.title,
            "what": notification.what,
            "run_id": notification.run_id,
            "url": notification.url,
            "facts": dict(notification.facts),
        },
    }
