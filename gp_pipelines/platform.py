"""What the jobs of one service work with: its definition, its target, artifacts and database.

The contracts only; `wiring.py` decides which drivers stand behind them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gp_pipelines.artifacts.contract import Artifacts
from gp_pipelines.databases.contract import Database
from gp_pipelines.launch_recipe import LaunchRecipe
from gp_pipelines.model import Artifact
from gp_pipelines.services import SecretSource, Service
from gp_pipelines.targets.contract import Launch, Target


@dataclass(frozen=True, slots=True)
class Platform:
    """One service, and everything that its releases touch."""

    service: Service
    target: Target
    artifacts: Artifacts
    database: Database | None  # None: the service has none
    read_secret: Callable[[str, SecretSource], str]  # its name, and where its value comes from

    def recipe(self, artifact: Artifact) -> LaunchRecipe:
        """How a slot with `artifact` is started by today's services.yaml."""
        service = self.service
        return LaunchRecipe(
            artifact=artifact,
            command=service.command,
            environment=service.environment,
            secrets=service.secrets,
            database_variable=service.database.variable if service.database else None,
            health_path=service.health,
            drain_seconds=service.timeouts.drain,
        )

    def launch(self, recipe: LaunchRecipe) -> Launch:
        """`recipe` with its secrets. Raises `ConfigInvalid` for one that is missing."""
        secrets = {name: self.read_secret(name, at) for name, at in recipe.secrets.items()}
        if self.database is not None and recipe.database_variable is not None:
            secrets[recipe.database_variable] = self.database.url()
        return Launch(
            artifact=recipe.artifact,
            command=recipe.command,
            environment=recipe.environment,
            secrets=secrets,
            health_path=recipe.health_path,
            drain_seconds=recipe.drain_seconds,
        )
