"""GET with an end: within so many seconds in all, and no more than so many bytes.

A client's timeouts are for each step: a server that sends a byte a second would hold it for ever.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import httpx

from gp_pipelines.errors import quoted


class NoAnswer(Exception):
    """Nothing that could be taken for a whole answer; says why, without a secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def bounded_get(
    url: str,
    params: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    *,
    seconds: float,
    most_bytes: int,
) -> Answer:
    """Raises `NoAnswer`. Not to be called from a coroutine."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(
            asyncio.wait_for(_get(url, params, headers, most_bytes), seconds)
        )
    except TimeoutError:
        raise NoAnswer(f"it was not there within {seconds:g} s") from None
    except NoAnswer:
        raise
    except Exception as error:
        # Of more kinds than the client promises: a port of 99999 is an OverflowError in a group.
        raise NoAnswer(quoted(str(error)) or type(error).__name__) from None
    finally:
        # asyncio.run would wait here for the look-up of a name that nobody answers.
        loop.close()


async def _get(
    url: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str], most_bytes: int
) -> Answer:
    async with (
        _client(url) as client,
        client.stream(
            "GET", url, params=list(params), headers={**headers, "Accept-Encoding": "identity"}
        ) as answer,
    ):
        # A few kilobytes that unpack to gigabytes: not asked for, so not taken.
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise NoAnswer(f"it is packed: {quoted(answer.headers['Content-Encoding'])}")
        body = bytearray()
        async for part in answer.aiter_raw():
            body += part
            if len(body) > most_bytes:
                raise NoAnswer(f"it is longer than {most_bytes} bytes")
        return Answer(answer.status_code, bytes(body))


def _client(url: str) -> httpx.AsyncClient:
    """One that takes no notice of the environment: a proxy must not get in between."""
    verify = _certificates() if url.startswith("https:") else False
    return httpx.AsyncClient(verify=verify, trust_env=False, timeout=None)  # noqa: S113


@cache
def _certificates() -> ssl.SSLContext:
    """Those that the system trusts, a company's own among them."""
    return ssl.create_default_context()
