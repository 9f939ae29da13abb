"""The ports that the stack needs, looked at before anything is started on them."""

from collections.abc import Callable

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Color
from gp_pipelines.services import Services
from gp_pipelines.targets.local.envoy import PROGRAM as ENVOY
from gp_pipelines.targets.local.envoy import entrance_port, preview_port
from gp_pipelines.targets.local.envoy_admin import EnvoyAdmin
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.ports import Ports, is_free, require_free
from gp_pipelines.targets.local.supervisor import Supervisor

DAGSTER = "dagster"
WEBHOOK = "webhook"


def require_entrances_free(home: Home, services: Services) -> None:
    """Raises `TargetUnavailable`, naming who has it, for a port that is somebody else's.

    The address of an entrance is never changed: people and other services know it.
    """
    ours = _listening(home)
    for name in services.names:
        port = entrance_port(home, services[name])
        if ours is not None and port not in ours:
            require_free(port, f"{name}'s entrance")


def move_previews(home: Home, services: Services, progress: Callable[[str], None]) -> None:
    """Give a preview whose port somebody else has taken meanwhile another one."""
    ours = _listening(home)
    for name in services.names:
        for color in Color:
            port = preview_port(home, name, color)
            if ours is not None and port not in ours and not is_free(port):
                Ports(home).forget(f"preview/{name}/{color}")
                moved = preview_port(home, name, color)
                progress(f"port {port} is taken: the preview of {name} {color} moves to {moved}")


def dagster_port(home: Home) -> int:
    return Ports(home).get(DAGSTER)


def move_dagster(home: Home, progress: Callable[[str], None]) -> None:
    """Give Dagster, which is not running, another port if somebody else has taken its own."""
    port = dagster_port(home)
    if not is_free(port):
        Ports(home).forget(DAGSTER)
        progress(f"port {port} is taken: Dagster moves to {dagster_port(home)}")


def webhook_port(home: Home) -> int:
    return Ports(home).get(WEBHOOK)


def move_webhook(home: Home, progress: Callable[[str], None]) -> None:
    """The same for the webhook. Better known at another port than nothing started at all."""
    port = webhook_port(home)
    if not is_free(port):
        Ports(home).forget(WEBHOOK)
        progress(
            f"port {port} is taken: the webhook moves to {webhook_port(home)}. "
            "Whoever sends alerts to it has to be told."
        )


def _listening(home: Home) -> set[int] | None:
    """Where our own Envoy listens; None if that can't be told, because it runs and is mute."""
    state = Supervisor(home).state(ENVOY)
    if state is None or not state.running:
        return set()
    try:
        return set(EnvoyAdmin(home).listening().values())
    except TargetUnavailable:
        return None
