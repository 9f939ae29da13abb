"""How each release's replicas were started, kept on the target: what a cold rollback starts again.

Not what services.yaml says today: the configuration goes back with the code. Secrets are kept by
where they come from, never by value.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from gp_pipelines.errors import Refused
from gp_pipelines.model import Artifact, Slot
from gp_pipelines.services import SecretSource
from gp_pipelines.targets.contract import Ledger

KIND = "launches"


@dataclass(frozen=True, slots=True)
class LaunchRecipe:
    """All that decides how a slot runs, without the values of its secrets."""

    artifact: Artifact
    command: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: Mapping[str, SecretSource]
    database_variable: str | None  # gets the database's URL
    health_path: str
    drain_seconds: float


_RECIPE = TypeAdapter(LaunchRecipe)


def remember(ledger: Ledger, release_id: str, recipe: LaunchRecipe) -> None:
    ledger.put(KIND, release_id, _RECIPE.dump_python(recipe, mode="json"))


def recall(ledger: Ledger, slot: Slot) -> LaunchRecipe:
    """How `slot` was started. Raises `Refused` where that is not known, or of another artifact."""
    document = ledger.get(KIND, slot.release_id)
    try:
        recipe = _RECIPE.validate_python(document) if document is not None else None
    except ValidationError:
        recipe = None
    if recipe is None or recipe.artifact.digest != slot.digest:
        raise Refused(
            f"The target does not know how {slot.describe()} was started.",
            state="Traffic is where it was.",
            advice=f"Release {slot.version} again with `--allow-downgrade`, or a fixed version.",
        )
    return recipe
