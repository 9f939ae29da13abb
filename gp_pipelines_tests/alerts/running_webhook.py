"""The webhook on a port of its own, in a thread of the test."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.applications import Starlette

from gp_pipelines.alerts.credentials import Credentials
from gp_pipelines.alerts.proof import signature
from gp_pipelines.alerts.webhook_server import server

CREDENTIALS = Credentials(token="t0ken-of-the-tests", secret="s3cret-of-the-tests")


class Client:
    """Sends alerts as strangers do."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)

    def post(self, body: Any, token: str = CREDENTIALS.token, **headers: str) -> httpx.Response:
        """With a bearer token. Bytes are sent as they are."""
        return self._post(body, {"Authorization": f"Bearer {token}", **headers})

    def signed(
        self,
        body: Any,
        *,
        at: float | None = None,
        credentials: Credentials = CREDENTIALS,
        **headers: str,
    ) -> httpx.Response:
        content = _content(body)
        timestamp = f"{time.time() if at is None else at:.0f}"
        signed = signature(content, timestamp, credentials)
        return self._post(
            content,
            {"X-GP-Timestamp": timestamp, "X-GP-Signature": f"sha256={signed}", **headers},
        )

    def bare(self, body: Any, headers: dict[str, str]) -> httpx.Response:
        return self._post(body, headers)

    def _post(self, body: Any, headers: dict[str, str]) -> httpx.Response:
        return self.http.post("/webhook/alert", content=_content(body), headers=headers)


@contextmanager
def running(app: Starlette) -> Iterator[Client]:
    running = server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not running.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    client = Client(running.servers[0].sockets[0].getsockname()[1])
    try:
        yield client
    finally:
        client.http.close()
        running.should_exit = True
        thread.join(20)


def _content(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
