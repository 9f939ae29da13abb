"""What stands for Slack, Teams and the like: an HTTP server that keeps what it gets."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Receiver:
    """Answers with each status of `statuses` once, and then with the last one again and again.

    0: it takes the request and never answers. -1: it closes the connection. -2: its answer comes
    one byte at a time, and has no end.
    """

    statuses: list[int] = field(default_factory=lambda: [200])
    answer_headers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    look: Callable[[], object] = lambda: None  # at anything else, whenever it gets something

    def __enter__(self) -> Self:
        receiver = self
        self._ended = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.received.append(Received(self.path, dict(self.headers), body))
                receiver.look()
                receiver._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """With a secret in it, as they have."""
        return f"http://127.0.0.1:{self._server.server_port}/services/T0/s3cr3t"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == 0:
            self._ended.wait()
        elif status == -1:
            handler.close_connection = True
        elif status == -2:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not self._ended.wait(0.05):
                try:
                    handler.wfile.write(b"a")
                except OSError:
                    return
        else:
            handler.send_response(status)
            for name, value in self.answer_headers.items():
                handler.send_header(name, value)
            handler.send_header("content-length", "0")
            handler.end_headers()
