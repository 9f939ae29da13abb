"""What the jobs of one service work with: its definition, its target, artifacts and database.

The contracts only; `wiring.py` decides which drivers stand behind them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gp_pipelines.artifacts.contract import Artifacts
from gp_pipelines.databases.contract import Database
from gp_pipelines.model import Artifact
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Launch, Target


@dataclass(frozen=True, slots=True)
class Platform:
    """One service, and everything that its releases touch."""

    service: Service
    target: Target
    artifacts: Artifacts
    database: Database | None  # None: the service has none
    read_secret: Callable[[str], str]  # the name in services.yaml's `secrets` → its value

    def launch(self, artifact: Artifact) -> Launch:
        """How a slot with `artifact` is started. Raises `ConfigInvalid` for a missing secret."""
        secrets = {name: self.read_secret(name) for name in self.service.secrets}
        if self.database is not None and self.service.database is not None:
            secrets[self.service.database.variable] = self.database.url()
        return Launch(
            artifact=artifact,
            command=self.service.command,
            environment=self.service.environment,
            secrets=secrets,
            health_path=self.service.health,
            drain_seconds=self.service.timeouts.drain,
        )
