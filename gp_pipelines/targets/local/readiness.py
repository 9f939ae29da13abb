"""Whether replicas answer their health check, asked on their own ports."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx

from gp_pipelines.targets.local.plain_http import loopback_client

ANSWER_SECONDS = 1.0
MOST_AT_ONCE = 32


def health_problems(checks: Mapping[int, str]) -> dict[int, str]:
    """Why the replica on each port is not healthy, empty if it is. `checks` has the paths."""
    if not checks:
        return {}
    with (
        loopback_client(ANSWER_SECONDS, keep_alive=False) as client,
        ThreadPoolExecutor(min(len(checks), MOST_AT_ONCE)) as pool,
    ):
        found = pool.map(lambda check: _problem(client, *check), checks.items())
        return dict(zip(checks, found, strict=True))


def _problem(client: httpx.Client, port: int, path: str) -> str:
    try:
        status = client.get(f"http://127.0.0.1:{port}{path}").status_code
    except httpx.TimeoutException:
        return f"{path} gave no answer within {ANSWER_SECONDS:g} s"
    except httpx.HTTPError as error:
        return f"{path} gave no answer: {error or type(error).__name__}"
    return "" if status == httpx.codes.OK else f"{path} answered {status}"
