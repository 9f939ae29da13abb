"""Bringing Envoy up, until every service's entrance and previews listen."""

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Progress
from gp_pipelines.services import Services
from gp_pipelines.targets.local.envoy import (
    PROGRAM,
    envoy_program,
    listener_ports,
    write_envoy_files,
)
from gp_pipelines.targets.local.envoy_admin import EnvoyAdmin
from gp_pipelines.targets.local.files import write_atomically
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.processes import ProcessId
from gp_pipelines.targets.local.stack_waiting import Watched, wait_for
from gp_pipelines.targets.local.supervisor import Supervisor

ANSWER_SECONDS = 10.0
LISTEN_SECONDS = 30.0


class StackEntrance:
    """Envoy of one home, for the services of one services.yaml."""

    def __init__(self, home: Home, services: Services) -> None:
        self._home = home
        self._services = services
        self._supervisor = Supervisor(home)
        self._admin = EnvoyAdmin(home)
        self._log = home.envoy / "logs" / "envoy.log"
        self._advice = f"See {self._log}, then run `gp up` again."

    def start(self) -> None:
        """Raises `TargetUnavailable` if two names ask for the same port."""
        write_envoy_files(self._home, self._services)
        self._supervisor.put(envoy_program(self._home))

    def wait(self, progress: Progress) -> None:
        """Raises `TargetUnavailable` with Envoy's own reason."""
        if not self._answers(progress):
            progress("Envoy runs and does not answer: it is started again")
            self._kill()
            if not self._answers(progress):
                raise TargetUnavailable("Envoy runs and does not answer.", advice=self._advice)
        wait_for("Envoy", self._not_listening, LISTEN_SECONDS, progress, advice=self._advice)

    def _answers(self, progress: Progress) -> bool:
        """False if it runs, and stays mute."""
        program = Watched(self._supervisor, PROGRAM, self._log, tries=3)

        def mute() -> str:
            return "" if self._admin.ready() else f"it does not answer ({program.detail()})"

        try:
            wait_for("Envoy", mute, ANSWER_SECONDS, progress, advice=self._advice)
        except TargetUnavailable:
            if not self._is_running():
                raise
            return False
        return True

    def _kill(self) -> None:
        """The supervisor starts it again."""
        state = self._supervisor.state(PROGRAM)
        process = ProcessId.of(state.pid) if state and state.pid else None
        if process:
            process.kill()

    def _is_running(self) -> bool:
        state = self._supervisor.state(PROGRAM)
        return state is not None and state.running

    def _not_listening(self) -> str:
        listening = self._admin.listening()
        wanted: dict[str, int] = {}
        for name in self._services.names:
            wanted |= listener_ports(self._home, self._services[name])
        missing = [name for name, port in wanted.items() if listening.get(name) != port]
        if not missing:
            return ""
        refused = self._admin.refused_listeners()
        if refused:
            # One that came before the cluster that it names was known is not tried again by itself.
            path = self._home.envoy / "listeners.json"
            write_atomically(path, path.read_text())
        why = [f"{name}: {refused[name]}" for name in missing if name in refused]
        return f"{len(wanted) - len(missing)}/{len(wanted)} listeners; " + (
            "; ".join(why) or f"waiting for {', '.join(missing)}"
        )
