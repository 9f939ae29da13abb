"""The clients: half connect for each request, half keep their connections. None tries again.

A keep-alive connection that the server closed while it was idle is no failed request: RFC 9112
(9.3, 9.6) lets a server do so at any time, no request was under way, and a client that looks
before it writes loses nothing. So each client looks (the kernel is asked, directly before the
write); finds it closed; connects anew; and that is recorded as `reopened`, so that an entrance
which keeps throwing its clients out still shows. From the first byte written it is a request: if
the close crosses it on the way, it is recorded as failed (`reset`) and not sent again, although a
browser would: the entrance took a connection away under a user, and that must be counted.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import h11

from gp_pipelines_tests.load.address import Address
from gp_pipelines_tests.load.record import Connection, Failure
from gp_pipelines_tests.load.wire import Answer, Request, Wire

KEEP_ALIVE_CLIENTS = 10  # at 50 requests/s between them each asks every 0.2 s


@dataclass(slots=True)
class Outcome:
    connection: Connection
    answer: Answer = field(default_factory=Answer)
    failure: Failure | None = None
    error: str = ""


class Clients:
    """`timeout` is in seconds, for one request from connecting to the end of its answer."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        # The keep-alive clients that are free, with their connection where they have one. The one
        # that has waited longest is next, so that all of them stay in use.
        self._free: deque[Wire | None] = deque([None] * KEEP_ALIVE_CLIENTS)

    async def ask_fresh(self, request: Request, number: int) -> Outcome:
        outcome = Outcome(Connection.FRESH)
        wire = await self._ask(None, request, number, outcome)
        if wire:
            wire.close()
        return outcome

    async def ask_kept(self, request: Request, number: int) -> Outcome:
        wire, connection = self._next_client()
        outcome = Outcome(connection)
        wire = await self._ask(wire, request, number, outcome)
        self._free_again(wire)
        return outcome

    def close(self) -> None:
        while self._free:
            if wire := self._free.popleft():
                wire.close()

    def _next_client(self) -> tuple[Wire | None, Connection]:
        # The schedule does not wait: with all clients busy another one comes, like a user would.
        wire = self._free.popleft() if self._free else None
        if wire is None:
            return None, Connection.OPENED
        if wire.closed_while_idle():
            wire.close()
            return None, Connection.REOPENED
        return wire, Connection.KEPT

    def _free_again(self, wire: Wire | None) -> None:
        reusable = wire is not None and wire.ready_for_next()
        if wire and (not reusable or len(self._free) >= KEEP_ALIVE_CLIENTS):
            wire.close()
            wire = None
        if len(self._free) < KEEP_ALIVE_CLIENTS:
            self._free.append(wire)

    async def _ask(
        self, wire: Wire | None, request: Request, number: int, outcome: Outcome
    ) -> Wire | None:
        """The connection if the answer came whole; else None, and `outcome` says what happened."""
        last = outcome.connection is Connection.FRESH
        try:
            async with asyncio.timeout(self._timeout):
                if wire is None:
                    wire = await Wire.open(self._address)
                await wire.exchange(request, number, outcome.answer, last)
        except (OSError, h11.RemoteProtocolError) as error:
            outcome.failure, outcome.error = _failure(error, self._timeout)
            if wire:
                wire.close()
            return None
        return wire


def _failure(error: OSError | h11.RemoteProtocolError, timeout: float) -> tuple[Failure, str]:
    if isinstance(error, h11.RemoteProtocolError):
        return Failure.WRONG_ANSWER, f"not HTTP: {error}"
    if isinstance(error, TimeoutError):
        return Failure.TIMED_OUT, f"no whole answer within {timeout:g} s"
    if isinstance(error, ConnectionRefusedError):
        return Failure.REFUSED, str(error)
    if isinstance(error, ConnectionError):
        return Failure.RESET, str(error)
    return Failure.NOT_SENT, str(error)
