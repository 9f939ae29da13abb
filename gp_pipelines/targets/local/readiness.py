"""Whether replicas answer their health check, asked on their own ports."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from gp_pipelines.targets.local.plain_http import loopback_client

ANSWER_SECONDS = 1.0
MOST_AT_ONCE = 32


def health_problems(checks: Sequence[tuple[int, str]]) -> list[str]:
    """For each port and path, why the replica there is not healthy; empty if it is."""
    if not checks:
        return []
    with (
        loopback_client(ANSWER_SECONDS, keep_alive=False) as client,
        ThreadPoolExecutor(min(len(checks), MOST_AT_ONCE)) as pool,
    ):
        return list(pool.map(lambda check: _problem(client, *check), checks))


def _problem(client: httpx.Client, port: int, path: str) -> str:
    try:
        status = client.get(f"http://127.0.0.1:{port}{path}").status_code
    except httpx.TimeoutException:
        return f"{path} gave no answer within {ANSWER_SECONDS:g} s"
    except httpx.HTTPError as error:
        return f"{path} gave no answer: {error or type(error).__name__}"
    return "" if status == httpx.codes.OK else f"{path} answered {status}"
