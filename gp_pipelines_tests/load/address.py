"""Where the load may go: to this machine, and nowhere else."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def loopback(url: str) -> Address:
    """The address in `http://127.0.0.1:PORT`. Raises ValueError for everything else.

    A name is refused even if it is "localhost": what a name stands for is for the resolver to say,
    and a load test that goes astray is an attack.
    """
    parts = urlsplit(url)
    try:
        is_loopback = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        is_loopback = False
    if parts.scheme != "http" or not is_loopback:
        raise ValueError(f"{url!r} is not a loopback address such as http://127.0.0.1:8080")
    if not parts.port or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError(f"{url!r}: only http://<loopback address>:<port> is expected")
    return Address(parts.hostname or "", parts.port)
