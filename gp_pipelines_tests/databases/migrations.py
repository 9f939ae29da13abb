"""A service's migrations in a directory, and a migrate command that does what a test asks for."""

import sys
from collections.abc import Sequence
from pathlib import Path

from gp_pipelines.model import Artifact, Progress

ARTIFACT = Artifact("missions", "v1", "sha256:0", ".", 1, built=False)


class Migrations:
    """Implements `artifacts.contract.Artifacts` as far as a database asks for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._directory.mkdir(parents=True, exist_ok=True)

    @property
    def _directory(self) -> Path:
        return self.root / "migrations"

    def add(self, name: str, statements: str) -> None:
        (self._directory / name).write_text(statements)

    def remove(self, name: str) -> None:
        (self._directory / name).unlink()

    def read_directory(self, artifact: Artifact, directory: str) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (self.root / directory).iterdir()}

    def command(self, artifact: Artifact, command: Sequence[str]) -> tuple[list[str], Path]:
        script = Path(__file__).parent / "migrate_command.py"
        return [sys.executable, str(script), *command], self.root

    def stored(self, version: str) -> Artifact | None:
        raise NotImplementedError

    def provide(self, version: str, progress: Progress, timeout: float) -> Artifact:
        raise NotImplementedError

    def versions(self) -> tuple[str, ...]:
        raise NotImplementedError
