"""HTTP to this machine's own ports."""

import httpx


def loopback_client(timeout: float, *, keep_alive: bool) -> httpx.Client:
    """A client for 127.0.0.1 that never tries again; `timeout` (s) is for each step of a request.

    It takes no notice of the environment: a proxy that is configured there must not get between.
    There are no certificates to check, and loading them would take 20 ms.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=1 if keep_alive else 0)
    return httpx.Client(
        verify=False,  # noqa: S501 (http only)
        trust_env=False,
        timeout=timeout,
        limits=limits,
    )
