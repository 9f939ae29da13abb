"""TCP ports on 127.0.0.1, chosen once for each name and remembered for good."""

import json
import random
import socket
from collections.abc import Collection
from contextlib import suppress

import psutil
from filelock import FileLock

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.files import write_atomically
from gp_pipelines.targets.local.home import Home

LOCK_SECONDS = 30.0
# Below the ephemeral range of Linux (32768 up) and of macOS (49152 up), from which the kernel
# gives any connection its own port: one chosen there may be taken when its owner is down.
LOWEST, HIGHEST = 10240, 32000
TRIES = 2000


class Ports:
    """The ports of one home."""

    def __init__(self, home: Home) -> None:
        self._file = home.ports

    def get(self, name: str, preferred: int | None = None) -> int:
        """The port of `name`: the one remembered, or else a free one, remembered from now on.

        `preferred` is one that a person has configured: it takes the place of a remembered one.
        Raises `TargetUnavailable` if it is the port of another name here. Whether somebody else
        listens on it is seen by `require_free`.
        """
        with self._lock():
            ports = self._read()
            port = preferred or ports.get(name)
            if port is None:
                port = free_port(taken=set(ports.values()))
            holders = [other for other, its in ports.items() if its == port and other != name]
            if holders:
                raise TargetUnavailable(
                    f"Port {port} was asked for {name}, and is the port of {holders[0]} already.",
                    state="Nothing was changed.",
                    advice="Configure another port in services.yaml.",
                )
            if ports.get(name) != port:
                self._write({**ports, name: port})
            return port

    def forget(self, prefix: str) -> None:
        """Give back the ports of all names that start with `prefix`."""
        with self._lock():
            ports = self._read()
            kept = {name: port for name, port in ports.items() if not name.startswith(prefix)}
            if kept != ports:
                self._write(kept)

    def _read(self) -> dict[str, int]:
        try:
            found = json.loads(self._file.read_text())
            return {str(name): int(port) for name, port in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError):
            raise TargetUnavailable(
                f"{self._file} is not what was written there: names and ports, as JSON.",
                state="Nothing was changed, and what runs goes on.",
                advice="Repair it by hand; the ports in use stand in services/*/ and envoy/.",
            ) from None

    def _write(self, ports: dict[str, int]) -> None:
        write_atomically(self._file, json.dumps(ports, indent=2, sort_keys=True))

    def _lock(self) -> FileLock:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self._file.with_suffix(".lock"), timeout=LOCK_SECONDS)


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def require_free(port: int, name: str) -> None:
    """Raise `TargetUnavailable` if somebody listens on `port`, and say who if it can be told."""
    if not is_free(port):
        raise TargetUnavailable(
            f"Port {port} of {name} is taken by {listener(port)}.",
            state="What needs that port was not started.",
            advice="End that process, or configure another port in services.yaml.",
        )


def free_port(taken: Collection[int] = ()) -> int:
    """A random one, so that two homes that choose at the same time hardly ever meet."""
    for _ in range(TRIES):
        port = random.randint(LOWEST, HIGHEST)  # noqa: S311 (no secret)
        if port not in taken and is_free(port):
            return port
    raise TargetUnavailable(
        f"No free port was found between {LOWEST} and {HIGHEST}.",
        state="Nothing was changed.",
        advice="See what listens on so many ports of this machine.",
    )


def listener(port: int) -> str:
    """Who listens on `port`, as far as it can be told."""
    with suppress(psutil.Error):
        for process in psutil.process_iter(["pid", "name"]):
            with suppress(psutil.Error):
                for connection in process.net_connections("tcp"):
                    local = connection.laddr
                    if connection.status == psutil.CONN_LISTEN and local and local.port == port:
                        return f"process {process.pid} ({process.name()})"
    return "another process, of another user"
