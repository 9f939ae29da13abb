"""What is wrong with some versions on purpose. /health is never touched: they all come up."""

import itertools

from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

GOOD_REQUESTS = 60  # to /api, of each process: more than smoke checks send before the switch
FAILING_OF_TEN = (2, 5, 8)  # by the last digit of the request's number


class ListFails:
    """The list of missions is answered with 500 from the first request on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failing = scope["type"] == "http" and scope["path"] == "/api/missions"
        if failing and scope["method"] == "GET":
            await _broken(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class SomeAnswersFail:
    """30 % of the requests to /api are answered with 500, after a number of good ones."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._requests = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api/") and self._fails():
            await _broken(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _fails(self) -> bool:
        number = next(self._requests)
        return number >= GOOD_REQUESTS and number % 10 in FAILING_OF_TEN


_broken = JSONResponse({"error": "The kraken has it."}, 500)

FAULTS = {"list-fails": Middleware(ListFails), "some-answers-fail": Middleware(SomeAnswersFail)}
