"""One service on this machine, behind the contract of all targets."""

from contextlib import AbstractContextManager

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Progress, Slot
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Launch
from gp_pipelines.targets.local.entrance import LocalEntrance
from gp_pipelines.targets.local.envoy import listener_ports
from gp_pipelines.targets.local.envoy_admin import EnvoyAdmin
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.ledger import LocalLedger
from gp_pipelines.targets.local.rehearsal import rehearsal
from gp_pipelines.targets.local.slots import LocalSlots
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines.targets.local.traffic_store import LocalTraffic


class LocalTarget:
    """Implements `contract.Target`. Making one touches nothing, and needs nothing to be up."""

    def __init__(self, home: Home, service: Service) -> None:
        self._home = home
        self._service = service
        self.traffic = LocalTraffic(home, service.name)
        self.slots = LocalSlots(home, service.name)
        self.entrance = LocalEntrance(home, service)
        self.ledger = LocalLedger(home, service.name)

    def rehearse(
        self, slot: Slot, launch: Launch, timeout: float, progress: Progress
    ) -> AbstractContextManager[str]:
        return rehearsal(self._home, slot, launch, timeout, progress)

    def require_up(self) -> None:
        if not Supervisor(self._home).is_up():
            raise TargetUnavailable(
                f"The supervisor of {self._home.root} is down.",
                state="What it had started may still be running, and serving.",
                advice="`gp up` starts it again.",
            )
        listening = EnvoyAdmin(self._home).listening()
        for listener, port in listener_ports(self._home, self._service).items():
            if listening.get(listener) != port:
                raise TargetUnavailable(
                    f"Envoy does not listen on 127.0.0.1:{port} for {listener}"
                    f"{self._why_not(listener)}.",
                    state="Nothing was changed.",
                    advice="`gp up` tells Envoy what services.yaml says now.",
                )

    def _why_not(self, listener: str) -> str:
        why = EnvoyAdmin(self._home).refused_listeners().get(listener)
        return f": {why}" if why else ""
