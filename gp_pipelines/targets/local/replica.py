"""How one replica of a slot is started here: which program, and what it is told."""

from pathlib import Path

from gp_pipelines.errors import ConfigInvalid
from gp_pipelines.model import Slot
from gp_pipelines.targets.contract import Launch


def executable_of(launch: Launch) -> Path:
    """Of the artifact's own environment: another of that name must not run in its place.

    Raises `ConfigInvalid` if the artifact has no such command.
    """
    path = Path(launch.artifact.location).absolute() / "env" / "bin" / launch.command[0]
    if not path.is_file():
        artifact = launch.artifact
        raise ConfigInvalid(
            f"{artifact.service} {artifact.version} has no command {launch.command[0]!r} "
            f"({path} is not there).",
            state="Nothing was started.",
            advice="Correct `command` in services.yaml, or the package's own scripts.",
        )
    return path


def environment_of(slot: Slot, port: int, launch: Launch) -> dict[str, str]:
    """What the replica that listens on `port` is told, its secrets included."""
    return {
        **launch.environment,
        **launch.secrets,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "GP_SERVICE": launch.artifact.service,
        "GP_RELEASE_ID": slot.release_id,
        "GP_VERSION": slot.version,
        "GP_COLOR": slot.color.value,
    }
