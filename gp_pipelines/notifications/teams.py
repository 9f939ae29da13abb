"""An Adaptive Card for a Microsoft Teams channel's "Workflows" webhook.

A `TextRun` shows its text as it is, where a `TextBlock` or a `FactSet` would take it for Markdown.
Nobody is mentioned by text alone: that would need an entity beside it.
"""

from typing import Any

from gp_pipelines.notifications.contract import Notification, Severity

COLORS = {Severity.INFO: "Good", Severity.WARNING: "Warning", Severity.CRITICAL: "Attention"}


def teams_message(notification: Notification) -> dict[str, Any]:
    color = COLORS[notification.severity]
    title = _run(notification.title, weight="Bolder", size="Medium", color=color)
    lines = [_line(_run(line)) for line in notification.what.splitlines() if line.strip()]
    facts = [
        _line(_run(f"{name}: ", weight="Bolder"), _run(value))
        for name, value in notification.facts.items()
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [_line(title), *lines, *facts],
    }
    if notification.url:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": "The run in Dagster", "url": notification.url}
        ]
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": card,
            }
        ],
    }


def _line(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **how: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **how}
