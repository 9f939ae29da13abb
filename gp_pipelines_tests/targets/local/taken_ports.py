"""Ports that a test listens on, as any other program of this machine may."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from gp_pipelines.targets.local.ports import HIGHEST, LOWEST, is_free


@contextmanager
def listening() -> Iterator[int]:
    """On some port, until the body ends."""
    ports = (random.randint(LOWEST, HIGHEST) for _ in range(1000))
    port = next(port for port in ports if is_free(port))
    with listening_on(port):
        yield port


@contextmanager
def listening_on(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield
