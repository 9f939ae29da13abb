"""What Envoy has in force, asked at its admin interface, a unix socket."""

import http.client
import json
import re
from typing import Any
from urllib.parse import quote

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Color
from gp_pipelines.targets.local.envoy_routing import stat_name
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.unix_sockets import UnixConnection, socket_path

ANSWER_SECONDS = 5.0


class EnvoyAdmin:
    """Reads only. Every method but `ready` raises `TargetUnavailable` if Envoy does not answer.

    See https://www.envoyproxy.io/docs/envoy/latest/operations/admin
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    def ready(self) -> bool:
        """Whether Envoy serves: it is up, and has had its first look at all its files."""
        try:
            self._get("/ready")
        except TargetUnavailable:
            return False
        return True

    def routes(self, service: str) -> str | None:
        """The `version_info` of the service's routes in force; None: Envoy has none.

        A file that Envoy did not take leaves the version before it in force.
        """
        found = self._json(f"/config_dump?resource=dynamic_route_configs&name_regex={service}")
        for config in found.get("configs", ()):
            if config["route_config"]["name"] == service:
                return str(config.get("version_info", ""))
        return None

    def endpoints_version(self, service: str, color: Color) -> str | None:
        """The `version_info` of the color's endpoints in force; None: Envoy has none."""
        return self._version(f"cluster.{stat_name(service, color)}")

    def listeners_version(self) -> str | None:
        return self._version("listener_manager.lds")

    def clusters_version(self) -> str | None:
        return self._version("cluster_manager.cds")

    def listening(self) -> dict[str, int]:
        """The port of each listener, by its name."""
        found = self._json("/listeners?format=json")
        return {
            listener["name"]: listener["local_address"]["socket_address"]["port_value"]
            for listener in found.get("listener_statuses", ())
        }

    def refused_listeners(self) -> dict[str, str]:
        """Why the newest form of a listener is not in force, by its name."""
        found = self._json("/config_dump?resource=dynamic_listeners")
        errors = [each["error_state"] for each in found.get("configs", ()) if "error_state" in each]
        return {error["failed_configuration"]["name"]: error["details"] for error in errors}

    def failed_updates(self, service: str) -> int:
        """How often since its start Envoy could not read, or refused, the service's routes."""
        prefix = re.escape(f"http.{service}.rds.{service}.")
        return sum(self.stats(f"^{prefix}update_(failure|rejected)$").values())

    def stats(self, filter: str) -> dict[str, int]:
        """Counters and gauges whose name matches the regular expression `filter`.

        A service `s` has `http.s.…` for its entrance, `http.s_blue.…` for a preview, and
        `cluster.s_blue.…` for a color. A counter that nothing has touched yet is there with 0.
        """
        return self._numbers(filter, "")

    def counters(self, filter: str) -> dict[str, int]:
        """As `stats`, without what is still 0. With many services it takes a tenth of the time."""
        return self._numbers(filter, "&type=Counters&usedonly")

    def _numbers(self, filter: str, options: str) -> dict[str, int]:
        found = self._json(f"/stats?format=json{options}&filter={quote(filter)}")
        return {
            stat["name"]: stat["value"]
            for stat in found["stats"]
            if isinstance(stat.get("value"), int)
        }

    def _version(self, scope: str) -> str | None:
        pattern = quote(f"^{re.escape(scope)}.version_text$")
        found = self._json(f"/stats?format=json&type=TextReadouts&filter={pattern}")
        return next((str(stat["value"]) for stat in found["stats"]), None)

    def _json(self, path: str) -> dict[str, Any]:
        found = json.loads(self._get(path))
        assert isinstance(found, dict)
        return found

    def _get(self, path: str) -> bytes:
        socket = socket_path(self._home.envoy, "admin.sock")
        connection = UnixConnection(socket, ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise TargetUnavailable(
                f"Envoy does not answer at {socket}: {error or type(error).__name__}",
                state="If it is down, the entrance is closed; its files are kept, and in force "
                "again when it is back.",
                advice="`gp up` starts it.",
            ) from None
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise TargetUnavailable(
                f"Envoy answers {path} with {answer.status}: {content[:200].decode().strip()}",
                advice="If it does not get ready, see envoy/logs/envoy.log.",
            )
        return content
