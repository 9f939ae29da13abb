"""What the pipeline asks of a kind of artifact, for one service."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gp_pipelines.model import Artifact, Progress


class Artifacts(Protocol):
    def stored(self, version: str) -> Artifact | None:
        """The artifact that was built for `version`, its digest checked again, or None.

        Raises `Refused` if what is stored no longer has the digest that it was stored with.
        """
        ...

    def provide(self, version: str, progress: Progress, timeout: float) -> Artifact:
        """The stored artifact of `version`, or build and store it.

        Raises `Refused` for a version that cannot be built, `StepFailed` for a build that fails.
        """
        ...

    def read_directory(self, artifact: Artifact, directory: str) -> dict[str, bytes]:
        """The files directly in `directory` of the artifact, by name (its migrations)."""
        ...

    def command(self, artifact: Artifact, command: Sequence[str]) -> tuple[list[str], Path]:
        """An argument list and working directory that run `command` with this artifact here."""
        ...

    def versions(self) -> tuple[str, ...]:
        """The versions that are known: stored ones, and those that services.yaml declares."""
        ...
