"""A real small server with the sample service's routes that does wrong what it is told to.

It decides by the number of the request (x-load-request), and keeps the numbers it has seen, so
that a test knows exactly which requests had to fail, and that none came twice.
"""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum, auto
from typing import Self


class Fault(Enum):
    RESET = auto()  # reads the request, then resets the connection
    CLOSE = auto()  # reads the request, then closes the connection without an answer
    CUT = auto()  # closes in the middle of the answer
    HANG = auto()  # never answers
    STALL = auto()  # begins an answer and never ends it
    ERROR = auto()  # 500
    UNAVAILABLE = auto()  # 503 with a right body
    MISSING = auto()  # 404
    WRONG_BODY = auto()  # JSON, but not what was asked for
    NOT_JSON = auto()
    NOT_HTTP = auto()
    CLOSE_IDLE = auto()  # a right answer, then closes without having said so
    RESET_IDLE = auto()  # a right answer, then resets
    TOO_MUCH = auto()  # a right answer, then bytes that nobody asked for
    ANNOUNCED = auto()  # a right answer with Connection: close


class Service:
    """Listens on 127.0.0.1 in a thread of its own until the `with` block ends."""

    def __init__(self, fault: Callable[[int], Fault | None] = lambda _: None) -> None:
        self.version = "v1"
        self.seen: list[int] = []
        self.under_way = self.most_under_way = 0
        self._fault = fault
        self._missions: list[dict[str, object]] = []
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._end = asyncio.Event()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def become(self, version: str) -> None:
        """From now on answer as `version`: no answer is half of the one and half of the other."""

        async def change() -> None:
            self.version = version

        asyncio.run_coroutine_threadsafe(change(), self._loop).result()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._listener.close()
        self._loop.close()

    async def _run(self) -> None:
        self._listener.setblocking(False)
        async with asyncio.TaskGroup() as tasks:
            accepting = tasks.create_task(self._accept(tasks))
            await self._end.wait()
            accepting.cancel()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    async def _accept(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            connection, _ = await self._loop.sock_accept(self._listener)
            connection.setblocking(False)
            tasks.create_task(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        with connection:
            while request := await self._read(connection):
                self.under_way += 1
                self.most_under_way = max(self.most_under_way, self.under_way)
                try:
                    if not await self._answer(connection, *request):
                        return
                finally:
                    self.under_way -= 1

    async def _read(self, connection: socket.socket) -> tuple[str, str, int, bytes] | None:
        received = b""
        while b"\r\n\r\n" not in received:
            try:
                more = await self._loop.sock_recv(connection, 65536)
            except ConnectionError:
                return None
            if not more:
                return None
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        fields = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in fields}
        while len(body) < int(headers.get("content-length", 0)):
            body += await self._loop.sock_recv(connection, 65536)
        method, path, _ = start.split(" ")
        return method, path, int(headers["x-load-request"]), body

    async def _answer(
        self, connection: socket.socket, method: str, path: str, number: int, body: bytes
    ) -> bool:
        """Whether the connection may be used again."""
        self.seen.append(number)
        fault = self._fault(number)
        status, content = self._right(method, path, body)
        match fault:
            case Fault.ERROR:
                status, content = 500, {"error": "on purpose"}
            case Fault.UNAVAILABLE:
                status = 503
            case Fault.MISSING:
                status, content = 404, {"error": "on purpose"}
            case Fault.WRONG_BODY:
                content = {"title": "another", "id": -1, "version": 1}
        text = b"<html>" if fault is Fault.NOT_JSON else json.dumps(content).encode()
        return await self._send(connection, self._head(status, len(text), fault) + text, fault)

    async def _send(self, connection: socket.socket, answer: bytes, fault: Fault | None) -> bool:
        match fault:
            case Fault.HANG:
                await self._end.wait()
            case Fault.RESET:
                _reset_on_close(connection)
                return False
            case Fault.CLOSE:
                return False
            case Fault.CUT | Fault.STALL:
                answer = answer[:-3]
            case Fault.NOT_HTTP:
                answer = b"hello\r\n\r\n"
            case Fault.TOO_MUCH:
                answer += b"HTTP/1.1 200 OK\r\n"
        await self._loop.sock_sendall(connection, answer)
        if fault is Fault.STALL:
            await self._end.wait()
        if fault is Fault.RESET_IDLE:
            await asyncio.sleep(0.05)  # a reset may overtake the answer that was sent before it
            _reset_on_close(connection)
        ends = (Fault.CUT, Fault.NOT_HTTP, Fault.CLOSE_IDLE, Fault.RESET_IDLE, Fault.ANNOUNCED)
        return fault not in ends

    def _right(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if path == "/health":
            return 200, {"version": self.version}
        if method == "POST":
            mission = {"id": len(self._missions), "title": json.loads(body)["title"]}
            self._missions.append(mission)
            return 201, mission
        if path == "/api/missions":
            return 200, self._missions[-20:]
        return 200, self._missions[int(path.rsplit("/", 1)[1])]

    def _head(self, status: int, length: int, fault: Fault | None) -> bytes:
        lines = [f"HTTP/1.1 {status} .", f"Content-Length: {length}"]
        lines += [f"X-Version: {self.version}", f"X-GP-Release: release-of-{self.version}"]
        lines += ["Connection: close"] if fault is Fault.ANNOUNCED else []
        return "\r\n".join([*lines, "", ""]).encode()


def _reset_on_close(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
