"""The ports on which a slot's replicas listen: chosen at first need, the same until it is gone."""

from gp_pipelines.model import Slot
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.ports import Ports


def replica_ports(home: Home, slot: Slot) -> tuple[int, ...]:
    ports = Ports(home)
    return tuple(ports.get(f"{_prefix(slot.name)}{n}") for n in range(1, slot.replicas + 1))


def forget_replica_ports(home: Home, slot_name: str) -> None:
    Ports(home).forget(_prefix(slot_name))


def _prefix(slot_name: str) -> str:
    return f"replica/{slot_name}/"
