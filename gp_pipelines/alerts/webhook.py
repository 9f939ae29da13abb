"""`POST /webhook/alert`: alerts that are sent to us, as an ASGI application.

Its answers are for machines first. Alertmanager sends again after a 5xx or no answer at all, and
takes any other answer for the last word: so whatever may pass is a 5xx here.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gp_pipelines.alerts.credentials import Credentials
from gp_pipelines.alerts.handover import Accepted, Handover
from gp_pipelines.alerts.inbox import AlreadyAccepted, Inbox
from gp_pipelines.alerts.inbox_database import InboxUnavailable
from gp_pipelines.alerts.payload import Payload, PayloadMalformed, TooManyAlerts, read_payload
from gp_pipelines.alerts.proof import Unproven, claim, prove
from gp_pipelines.alerts.rate import Rate
from gp_pipelines.alerts.webhook_metrics import WebhookMetrics
from gp_pipelines.errors import GpError, Refused, quoted

# 10,000 alerts at once are some 6 MB. Who has only signed is not known before the whole body is
# read, and has one alert to send.
MOST_BYTES = 16_000_000
MOST_BYTES_SIGNED = 262_144
BODY_SECONDS = 10.0
REASONS_SHOWN = 10

# One that nobody knows may guess as often as this, and then must wait.
UNPROVEN_EACH_SECOND, UNPROVEN_AT_ONCE = 5.0, 50
PROVEN_EACH_SECOND, PROVEN_AT_ONCE = 100.0, 500

STATUS: dict[type[GpError], int] = {
    PayloadMalformed: 400,
    Unproven: 401,
    AlreadyAccepted: 409,
    TooManyAlerts: 413,
    InboxUnavailable: 503,
}

Background = Callable[[], AbstractAsyncContextManager[None]]

log = logging.getLogger(__name__)


class _Answered(Refused):
    """Ends a request with an answer of its own status."""

    def __init__(self, status: int, what: str, *, advice: str) -> None:
        super().__init__(what, state="Nothing was accepted.", advice=advice)
        self.status = status


def create_app(
    inbox: Inbox,
    credentials: Credentials,
    services: Collection[str],
    accepted: Accepted,
    *,
    registry: CollectorRegistry | None = None,
    background: Background | None = None,
) -> Starlette:
    """The webhook for the alerts of `services`, by name.

    `accepted` gets the alerts of each request once they are on disk, in a thread of its own.
    What `registry` has is shown at /metrics. `background` is entered while the application runs.
    """
    shown = registry or CollectorRegistry()
    handover = Handover(accepted)
    webhook = _Webhook(inbox, credentials, services, handover, WebhookMetrics(shown))

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(handover.close)
            if background is not None:
                await stack.enter_async_context(background())
            yield

    def metrics(_: Request) -> Response:
        return Response(generate_latest(shown), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/webhook/alert", webhook.alert, methods=["POST"]),
            Route("/health", webhook.health, methods=["GET"]),
            Route("/metrics", metrics, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _no_such_page},
        lifespan=running,
    )


class _Webhook:
    def __init__(
        self,
        inbox: Inbox,
        credentials: Credentials,
        services: Collection[str],
        handover: Handover,
        metrics: WebhookMetrics,
    ) -> None:
        self._inbox = inbox
        self._credentials = credentials
        self._services = services
        self._handover = handover
        self._metrics = metrics
        self._unproven = Rate(UNPROVEN_EACH_SECOND, UNPROVEN_AT_ONCE, time.monotonic)
        self._proven = Rate(PROVEN_EACH_SECOND, PROVEN_AT_ONCE, time.monotonic)

    async def alert(self, request: Request) -> Response:
        try:
            answer = await self._accept(request)
        except GpError as error:
            answer = _refusal(error)
            log.warning("answered %d: %s", answer.status_code, quoted(error.what))
        except ClientDisconnect:
            answer = Response(status_code=400)  # that nobody reads
        self._metrics.answered(answer.status_code)
        return answer

    def health(self, _: Request) -> Response:
        """200 while alerts can be accepted."""
        try:
            self._inbox.put(())
        except InboxUnavailable as error:
            return _refusal(error)
        return JSONResponse({"status": "ok"})

    async def _accept(self, request: Request) -> Response:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise _Answered(415, "The body is packed.", advice="Send it as it is.")
        try:
            body, signature = await self._proven_body(request)
        except Unproven:
            self._unproven.count()
            raise
        if self._proven.is_over():
            raise _Answered(
                503, "There are too many requests.", advice="Send it again in a second."
            )
        self._proven.count()
        payload = await run_in_threadpool(self._keep, body, signature)
        return self._answer(payload)

    async def _proven_body(self, request: Request) -> tuple[bytes, str | None]:
        """With its signature, if it was signed. Raises `Unproven`."""
        now = time.time()
        claimed = claim(request.headers, self._credentials, now)
        if claimed is None:
            return await _body(request, MOST_BYTES), None
        # A token costs next to nothing to look at, so its owner is served in any case.
        if self._unproven.is_over():
            raise _Answered(429, "There are too many wrong requests.", advice="Wait a moment.")
        body = await _body(request, MOST_BYTES_SIGNED)
        prove(claimed, body, self._credentials)
        return body, claimed.signature

    def _keep(self, body: bytes, signature: str | None) -> Payload:
        """In the inbox, on disk. Not in the event loop: many alerts take a while."""
        payload = read_payload(body, self._services, datetime.now(UTC))
        if payload.alerts:
            self._inbox.put(payload.alerts, signature)
        return payload

    def _answer(self, payload: Payload) -> Response:
        reasons = (*payload.malformed, *payload.foreign)
        self._metrics.took(len(payload.alerts), len(reasons))
        if reasons:
            log.warning("%d alerts left out: %s", len(reasons), quoted(reasons[0]))
        if payload.malformed and not payload.alerts and not payload.foreign:
            raise _Answered(
                422, f"No alert can be understood: {payload.malformed[0]}.", advice="Correct it."
            )
        if payload.alerts:
            log.info("accepted %s", _described(payload))
            self._handover.hand_on(payload.alerts)
        left_out = {"left_out": len(reasons), "reasons": reasons[:REASONS_SHOWN]}
        return JSONResponse({"accepted": len(payload.alerts), **(left_out if reasons else {})})


async def _body(request: Request, most: int) -> bytes:
    too_long = _Answered(
        413, f"The body is longer than {most} bytes.", advice="Send fewer alerts at a time."
    )
    if int(request.headers.get("content-length", "0")) > most:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_long
    except TimeoutError:
        raise _Answered(
            408, f"The body was not there within {BODY_SECONDS:g} s.", advice="Send it again."
        ) from None
    return bytes(body)


def _described(payload: Payload) -> str:
    first = payload.alerts[0]
    state = "is resolved" if first.resolved else "fires"
    what = f"{quoted(first.name)} of {first.labels['service']} {state}"
    return f"{len(payload.alerts)} alerts; the first: {what}"


def _refusal(error: GpError) -> JSONResponse:
    status = error.status if isinstance(error, _Answered) else STATUS[type(error)]
    headers = {"Retry-After": "1"} if status == 503 else {}
    if status == 429:
        headers = {"Retry-After": "10"}
    if status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    body = {"error": error.what, "state": error.state, "advice": error.advice}
    return JSONResponse(body, status, headers)


def _no_such_page(_: Request, error: Any) -> Response:
    body = {"error": error.detail, "state": "", "advice": "Alerts are sent to POST /webhook/alert."}
    return JSONResponse(body, error.status_code, error.headers)
