"""Wheels, each built once from the service's source tree and kept in an environment of its own.

    <directory>/
      lock                      one build at a time
      versions/<version>        a link to its build, made last: without it nothing is stored
      builds/<version>.<token>/ requirements.txt, the wheel, env/, manifest.json
      dependencies/<key>/       the environment of one requirements.txt, shared by its versions

A build never writes where another one did: what a killed run leaves running cannot disturb it.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from gp_pipelines.artifacts.stored_wheel import StoredWheel
from gp_pipelines.artifacts.wheel_build import WheelBuild
from gp_pipelines.commands import REPORT_SECONDS
from gp_pipelines.errors import ConfigInvalid, Refused, StepFailed
from gp_pipelines.model import Artifact, Progress
from gp_pipelines.services import Service, check_version


class WheelArtifacts:
    """Implements `contract.Artifacts` for one service."""

    def __init__(self, service: Service, directory: Path) -> None:
        self._service = service
        self._directory = directory.resolve()

    def stored(self, version: str) -> Artifact | None:
        """Raises `Refused` if a file of it is not what was built, or is gone."""
        link = self._link(version)
        if not link.is_symlink():
            return None
        wheel = StoredWheel.read(link.resolve())
        problem = wheel.problem() if wheel else f"{link} does not lead to a build any more"
        if wheel is None or problem:
            raise Refused(
                f"The stored artifact of {self._service.name} {version} is not what was built: "
                f"{problem}.",
                state="Nothing was changed.",
                advice=f"Find out who changed it. To have it built anew, remove {link}; a slot "
                "that runs from it is left as it is.",
            )
        return self._artifact(wheel, version, built=False)

    def provide(self, version: str, progress: Progress, timeout: float) -> Artifact:
        """`timeout` counts from now, waiting for another build included."""
        deadline = time.monotonic() + timeout
        if artifact := self.stored(version):
            return artifact
        with self._alone(version, progress, deadline):
            if artifact := self.stored(version):  # by the build that was waited for
                return artifact
            build = WheelBuild(self._service, version, self._directory, progress, deadline)
            return self._artifact(build.run(self._link(version)), version, built=True)

    def read_directory(self, artifact: Artifact, directory: str) -> dict[str, bytes]:
        """Raises `Refused` if the artifact is gone."""
        return self._of(artifact).read_directory(directory)

    def command(self, artifact: Artifact, command: Sequence[str]) -> tuple[list[str], Path]:
        """Raises `ConfigInvalid` if the artifact has no such command, `Refused` if it is gone."""
        executable = self._of(artifact).executable(command[0])
        if not executable.is_file():
            raise ConfigInvalid(
                f"{artifact.service} {artifact.version} has no command {command[0]!r} "
                f"({executable} is not there).",
                state="Nothing was started.",
                advice="Correct the command in services.yaml, or the package's own scripts.",
            )
        return [str(executable), *command[1:]], Path(artifact.location)

    def versions(self) -> tuple[str, ...]:
        """The declared ones first, in their order."""
        stored = sorted(link.name for link in self._link("any").parent.glob("[!.]*"))
        return tuple(dict.fromkeys([*self._service.artifact.versions, *stored]))

    def _link(self, version: str) -> Path:
        return self._directory / "versions" / check_version(version)

    def _artifact(self, wheel: StoredWheel, version: str, *, built: bool) -> Artifact:
        return Artifact(
            service=self._service.name,
            version=version,
            digest=wheel.digest,
            location=str(wheel.directory),
            size=wheel.size,
            built=built,
        )

    def _of(self, artifact: Artifact) -> StoredWheel:
        wheel = StoredWheel.read(Path(artifact.location))
        if wheel is None or wheel.digest != artifact.digest:
            raise Refused(
                f"The artifact of {artifact.service} {artifact.version} is not in "
                f"{artifact.location} any more.",
                state="Nothing was changed.",
                advice="Start a new release: it builds what is missing.",
            )
        return wheel

    @contextmanager
    def _alone(self, version: str, progress: Progress, deadline: float) -> Iterator[None]:
        """Raises `StepFailed` if another build takes longer than there is time."""
        self._directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._directory / "lock")
        while True:
            patience = min(REPORT_SECONDS, deadline - time.monotonic())
            try:
                lock.acquire(timeout=max(0.0, patience))
                break
            except Timeout:
                if time.monotonic() >= deadline:
                    raise StepFailed(
                        f"{self._service.name} {version} was not built in its time: another build "
                        f"of the service holds {lock.lock_file}.",
                        state="Nothing was stored, and traffic is where it was.",
                        advice="Wait for that build, or end it, and release again.",
                    ) from None
                progress("waiting for another build of the service")
        try:
            yield
        finally:
            lock.release()
