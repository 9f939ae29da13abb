"""supervisord's XML-RPC interface over its unix socket (http://supervisord.org/api.html)."""

import http.client
import xmlrpc.client
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.unix_sockets import UnixConnection

ANSWER_SECONDS = 10.0

# supervisor.xmlrpc.Faults
BAD_NAME = 10
FAILED = 30
ALREADY_STARTED = 60
NOT_RUNNING = 70
ALREADY_ADDED = 90
STILL_RUNNING = 91


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        # A new one each time: callers are threads and processes.
        return UnixConnection(self._path, ANSWER_SECONDS)


class SupervisorRpc:
    """Calls of one supervisord."""

    def __init__(self, socket_path: Path) -> None:
        self._socket = socket_path

    def call(self, method: str, *arguments: Any, ignore: tuple[int, ...] = ()) -> Any:
        """The answer to `supervisor.<method>`; None for one of the faults to `ignore`.

        Raises `TargetUnavailable` if supervisord does not answer, or refuses.
        """
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(self._socket))
        try:
            with proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except Fault as fault:
            if fault.faultCode in ignore:
                return None
            what = " ".join(map(str, (method, *arguments)))
            raise TargetUnavailable(
                f"supervisord refuses {what}: {fault.faultString}",
                advice="Its log, supervisord.log in the same home, may say more.",
            ) from None
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise TargetUnavailable(
                f"supervisord does not answer at {self._socket}: {error or type(error).__name__}",
                state="What it had started may still be running, and serving.",
                advice="`gp up` starts it again.",
            ) from None

    def answers(self) -> bool:
        try:
            return bool(self.call("getState")["statename"] == "RUNNING")
        except TargetUnavailable:
            return False
