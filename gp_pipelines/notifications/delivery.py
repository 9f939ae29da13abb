"""One message to one channel: tried again where that can help, and never past a deadline."""

import json
import time
from typing import Any

import httpx
import tenacity

from gp_pipelines.notifications.channels import Channel
from gp_pipelines.notifications.unlogged import unlogged

TRIES = 3
TRY_SECONDS = 3.0  # for each step of a try: connecting, sending, the answer's beginning
PAUSE = tenacity.wait_exponential(multiplier=0.5)  # 0.5 s, then 1 s


class NotDelivered(Exception):
    """Says why, without the address. `again`: another try may succeed, after `not_before` s."""

    def __init__(self, why: str, *, again: bool, not_before: float = 0.0) -> None:
        super().__init__(why)
        self.again = again
        self.not_before = not_before


def deliver(channel: Channel, message: dict[str, Any], deadline: float) -> None:
    """No try begins after `deadline`, on the monotonic clock. Raises `NotDelivered`."""
    body = json.dumps(message).encode()
    tries = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(TRIES)
        | tenacity.stop_before_delay(deadline - time.monotonic()),
        wait=_pause,
        retry=tenacity.retry_if_exception(lambda e: isinstance(e, NotDelivered) and e.again),
        reraise=True,
    )
    # Not followed: a redirect leads a message to where nobody meant to send it.
    with unlogged(), httpx.Client(timeout=TRY_SECONDS, follow_redirects=False) as client:
        tries(_post, client, channel, body)


def _post(client: httpx.Client, channel: Channel, body: bytes) -> None:
    headers = {"content-type": channel.content_type}
    try:
        # Streamed, and its body left alone: it might have no end.
        with client.stream("POST", channel.url, content=body, headers=headers) as answer:
            status, retry_after = answer.status_code, answer.headers.get("retry-after", "")
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        raise NotDelivered("it holds no http or https URL", again=False) from None
    except httpx.TransportError as error:
        raise NotDelivered(f"no answer ({type(error).__name__})", again=True) from None
    if not 200 <= status < 300:
        raise NotDelivered(
            f"the answer was {status}",
            again=status == 429 or status >= 500,
            not_before=float(retry_after) if retry_after.isdecimal() else 0.0,
        )


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked_for = error.not_before if isinstance(error, NotDelivered) else 0.0
    return max(PAUSE(state), asked_for)
