"""slot.json: what a slot is and how its replicas were started, without their secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Artifact, Slot
from gp_pipelines.targets.contract import Launch
from gp_pipelines.targets.local.files import write_if_changed

FORMAT = 1


@dataclass(frozen=True, slots=True)
class StandingSlot:
    """A slot that stands in its directory."""

    slot: Slot
    ports: tuple[int, ...]  # one for each replica, or none as long as they are not chosen
    artifact: Artifact
    command: tuple[str, ...]
    environment: dict[str, str]
    secrets: tuple[str, ...]  # the names of the variables that hold them
    health_path: str
    format: int = FORMAT

    @property
    def replicas(self) -> range:
        """Their numbers."""
        return range(1, self.slot.replicas + 1)

    @classmethod
    def of(cls, slot: Slot, ports: Sequence[int], launch: Launch) -> "StandingSlot":
        return cls(
            slot=slot,
            ports=tuple(ports),
            artifact=launch.artifact,
            command=tuple(launch.command),
            environment=dict(launch.environment),
            secrets=tuple(sorted(launch.secrets)),
            health_path=launch.health_path,
        )

    @classmethod
    def read(cls, directory: Path) -> "StandingSlot | None":
        """None if no slot stands there: a run was killed before it had begun, or at its very end.

        Raises `TargetUnavailable` if the file is not what was written.
        """
        path = directory / "slot.json"
        try:
            standing = _ADAPTER.validate_json(path.read_bytes(), strict=True, extra="forbid")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError) as why:
            reason = why.strerror if isinstance(why, OSError) else "it is not what was written"
            raise _unreadable(path, str(reason)) from None
        if standing.format != FORMAT or standing.slot.name != directory.name:
            raise _unreadable(path, "it is of another slot, or of another gp_pipelines")
        return standing

    def write(self, directory: Path) -> None:
        content = _ADAPTER.dump_json(self, indent=2).decode()
        write_if_changed(directory / "slot.json", content + "\n")


_ADAPTER = TypeAdapter(StandingSlot)


def _unreadable(path: Path, why: str) -> TargetUnavailable:
    return TargetUnavailable(
        f"{path} cannot be used: {why}.",
        state=f"The processes of {path.parent.name} go on as they are; nothing was changed.",
        advice="Put its content back, or remove that slot by hand: its processes, then this "
        "directory.",
    )
