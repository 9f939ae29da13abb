"""What the jobs of one service work with: its definition, its target, artifacts and database.

The contracts only; `wiring.py` decides which drivers stand behind them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gp_pipelines.artifacts.contract import Artifacts
from gp_pipelines.databases.contract import Database
from gp_pipelines.errors import Refused
from gp_pipelines.launch_recipe import LaunchRecipe, recall
from gp_pipelines.model import Artifact, Slot
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

    def launch(self, recipe: LaunchRecipe, *, database_url: str | None = None) -> Launch:
        """`recipe` with its secrets, on the service's database or the one at `database_url`.

        Raises `ConfigInvalid` for a secret that is missing.
        """
        secrets = {name: self.read_secret(name, at) for name, at in recipe.secrets.items()}
        if self.database is not None and recipe.database_variable is not None:
            secrets[recipe.database_variable] = database_url or self.database.url()
        return Launch(
            artifact=recipe.artifact,
            command=recipe.command,
            environment=recipe.environment,
            secrets=secrets,
            health_path=recipe.health_path,
            drain_seconds=recipe.drain_seconds,
        )

    def recorded_launch(self, slot: Slot, *, database_url: str | None = None) -> Launch:
        """As `slot` was started once, with its artifact as it is stored; see `launch`.

        Raises `Refused` where that is not known, or the artifact is gone, and `ConfigInvalid`.
        """
        recipe = recall(self.target.ledger, slot)
        stored = self.artifacts.stored(slot.version)
        if stored is None or stored.digest != slot.digest:
            raise Refused(
                f"The artifact of {slot.describe()} is not stored any more.",
                state="Traffic is where it was.",
                advice=f"Release {slot.version} again with `--allow-downgrade`, or a fixed "
                "version.",
            )
        return self.launch(replace(recipe, artifact=stored), database_url=database_url)
