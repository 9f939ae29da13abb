"""A notification's texts as they may leave the house: no secrets, nothing unprintable, not long."""

from dataclasses import replace

from gp_pipelines.errors import redact
from gp_pipelines.notifications.contract import Notification

LONGEST_TITLE = 200
LONGEST_TEXT = 2000
LONGEST_FACT = 300
MOST_FACTS = 10  # as many as Slack shows


def fit_to_send(notification: Notification, secrets: tuple[str, ...]) -> Notification:
    """`secrets` are values that must not be in it, whoever wrote them there."""

    def fit(text: str, longest: int) -> str:
        # Redacted before it is cut: half a secret could not be found any more.
        shown = "".join(c for c in redact(text, secrets) if c.isprintable() or c == "\n")
        return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"

    facts = list(notification.facts.items())[:MOST_FACTS]
    return replace(
        notification,
        title=fit(" ".join(notification.title.split()), LONGEST_TITLE),
        what=fit(notification.what, LONGEST_TEXT),
        facts={fit(name, LONGEST_FACT): fit(value, LONGEST_FACT) for name, value in facts},
    )
