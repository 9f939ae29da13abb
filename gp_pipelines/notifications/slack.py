"""A message for a Slack incoming webhook.

https://docs.slack.dev/messaging/formatting-message-text: `&`, `<` and `>` begin what Slack acts on
(`<!channel>` calls everybody), and `verbatim` keeps it from finding links and names in plain text.
"""

import html
from typing import Any

from gp_pipelines.notifications.contract import Notification, Severity

COLORS = {Severity.INFO: "good", Severity.WARNING: "warning", Severity.CRITICAL: "danger"}
LONGEST_SECTION = 3000
LONGEST_FIELD = 2000


def slack_message(notification: Notification) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    if notification.what:
        text = _text(_escaped(notification.what, LONGEST_SECTION))
        blocks.append({"type": "section", "text": text})
    if notification.facts:
        blocks.append(
            {
                "type": "section",
                "fields": [
                    _text(_escaped(f"{name}: {value}", LONGEST_FIELD))
                    for name, value in notification.facts.items()
                ],
            }
        )
    if notification.url:
        # A `|` would end the address, and what comes after it be shown as the link's text.
        address = _escaped(notification.url, LONGEST_FIELD).replace("|", "%7C")
        blocks.append({"type": "context", "elements": [_text(f"<{address}|The run in Dagster>")]})
    return {
        "text": _escaped(notification.title, LONGEST_SECTION),
        "attachments": [{"color": COLORS[notification.severity], "blocks": blocks}],
    }


def _text(markup: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "verbatim": True, "text": markup}


def _escaped(text: str, longest: int) -> str:
    """Never cut within an escape, however many there are."""
    escaped = ""
    for character in text:
        written = html.escape(character, quote=False)
        if len(escaped) + len(written) >= longest:
            return f"{escaped}…"
        escaped += written
    return escaped
