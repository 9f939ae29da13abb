"""One connection to the service, and HTTP/1.1 on it.

On bare sockets with h11, not with a client library, because what is counted here is what such a
library hides: aiohttp sends an idempotent request again when a kept connection turns out to be
closed, and pools decide by themselves when to throw a connection away. Here a request is written
once, on one connection, and what becomes of it is what is recorded.
"""

import asyncio
import socket
from dataclasses import dataclass, field

import h11

from gp_pipelines_tests.load.address import Address

LARGEST_ANSWER = 4 * 1024 * 1024  # bytes; more is not an answer of this service


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    name: str  # without what differs from one to the next: GET /api/missions/{id}
    body: bytes = b""


@dataclass(slots=True)
class Answer:
    """Filled as it comes, so that what is there of a broken answer can still be told."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return value.decode("latin-1") if value is not None else None


class Wire:
    """An open connection. Whoever opened it closes it."""

    def __init__(self, opened: socket.socket, address: Address) -> None:
        self._socket = opened
        self._host = str(address)
        self._http = h11.Connection(h11.CLIENT)
        self._ended = False

    @classmethod
    async def open(cls, address: Address) -> "Wire":
        """Raises OSError."""
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setblocking(False)
            await asyncio.get_running_loop().sock_connect(opened, (address.host, address.port))
        except BaseException:
            opened.close()
            raise
        return cls(opened, address)

    def close(self) -> None:
        self._socket.close()

    def closed_while_idle(self) -> bool:
        """Whether the server has ended this connection, which no request is waiting on.

        The kernel is asked, at the moment of the question. Bytes that nobody asked for count as
        the end too: they must not be taken for the answer to the next request.
        """
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        return True

    async def exchange(self, request: Request, number: int, answer: Answer, last: bool) -> None:
        """Write `request` once and read its answer into `answer`.

        Raises OSError if the connection breaks before the answer is whole, h11.RemoteProtocolError
        if what comes is not HTTP. `last`: the server is told that no other request will follow.
        """
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._socket, self._encode(request, number, last))
        body = bytearray()
        while not isinstance(event := await self._next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                answer.status, answer.headers = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > LARGEST_ANSWER:
                    raise h11.RemoteProtocolError(f"more than {LARGEST_ANSWER} bytes")
        answer.body = bytes(body)

    def ready_for_next(self) -> bool:
        """Whether the connection may carry another request after this one; prepares it for that."""
        done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not done or self._http.trailing_data != (b"", False):
            return False
        self._http.start_next_cycle()
        return True

    def _encode(self, request: Request, number: int, last: bool) -> bytes:
        headers = [("Host", self._host), ("Accept", "application/json")]
        headers.append(("X-Load-Request", str(number)))
        if request.body:
            headers.append(("Content-Type", "application/json"))
            headers.append(("Content-Length", str(len(request.body))))
        if last:
            headers.append(("Connection", "close"))
        head = h11.Request(method=request.method, target=request.path, headers=headers)
        events: list[h11.Event] = [head, h11.Data(data=request.body), h11.EndOfMessage()]
        return b"".join(self._http.send(event) or b"" for event in events)

    async def _next_event(self) -> object:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                if self._ended:
                    raise ConnectionResetError("closed before the whole answer") from None
                raise
            if event is not h11.NEED_DATA:
                return event
            data = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
            self._ended = not data
            self._http.receive_data(data)
