"""An HTTP server of which each test says byte by byte what it answers."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answering = Callable[[socket.socket, threading.Event], None]


@dataclass
class StandIn:
    """`answering` writes to the connection; the event is set when the test has ended."""

    answering: Answering
    requests: list[bytes] = field(default_factory=list)
    url: str = ""

    def serve(self, listener: socket.socket, ended: threading.Event) -> None:
        with suppress(OSError):
            while not ended.is_set():
                connection, _ = listener.accept()
                threading.Thread(target=self._one, args=(connection, ended), daemon=True).start()

    def _one(self, connection: socket.socket, ended: threading.Event) -> None:
        with connection, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(65536)
                if not part:
                    return
                request += part
            self.requests.append(request)
            self.answering(connection, ended)


@contextmanager
def standing_in(answering: Answering) -> Iterator[StandIn]:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stand_in = StandIn(answering, url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=stand_in.serve, args=(listener, ended), daemon=True)
        thread.start()
        try:
            yield stand_in
        finally:
            ended.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def sends(body: bytes, status: str = "200 OK", *headers: str) -> Answering:
    """This answer, whole."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]

    def answer(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    return answer
