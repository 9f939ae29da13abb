"""Slots from an earlier `gp up` that will not serve by themselves, and why."""

from gp_pipelines.services import Services
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.ports import is_free, listener
from gp_pipelines.targets.local.slot_file import StandingSlot
from gp_pipelines.targets.local.supervisor import Supervisor


def remarks(home: Home, services: Services) -> tuple[str, ...]:
    """For people, one each. Ask before the start: a replica that can't listen runs shortly."""
    states = Supervisor(home).states()
    found = []
    for directory in sorted((home.root / "services").glob("*/slots/*")):
        standing, service = StandingSlot.read(directory), directory.parent.parent.name
        if standing is None:
            continue
        if service not in services.names:
            found.append(
                f"{service} is not in services.yaml any more, and {directory.name} still stands: "
                "its entrance is closed. Put the service back, or remove what it has: "
                f"`gp down --purge` does (with everything else), or end it and delete {directory}."
            )
            continue
        for n, port in zip(standing.replicas, standing.ports, strict=False):
            state = states.get(f"{directory.name}.{n}")
            if (state is None or not state.running) and not is_free(port):
                found.append(
                    f"{directory.name}.{n} cannot start: its port {port} is taken by "
                    f"{listener(port)}. End that process; the replica starts then."
                )
    return tuple(found)
