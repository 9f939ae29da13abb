"""Building one version, with pip, in the environment that its requirements.txt locks.

That file locks what the version runs with and what it is built with (the build backend), so the
same source gives the same wheel.
"""

import hashlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from gp_pipelines.artifacts.stored_wheel import MANIFEST, REQUIREMENTS, StoredWheel
from gp_pipelines.commands import Command, CommandTimedOut
from gp_pipelines.errors import ConfigInvalid, StepFailed
from gp_pipelines.model import Progress
from gp_pipelines.services import Service

# What pip needs of the caller's environment: its secrets are not for a build.
INHERITED = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "LANG", "LC_ALL")
INHERITED_FOR_DOWNLOADS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NETRC")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
EPOCH = "315532800"  # 1980, where the clock of a zip file begins: dates are no part of a version
NOTHING_STORED = "Nothing was stored, and traffic is where it was."


class WheelBuild:
    """One build of `version`; its caller sees to it that it is the only one in `directory`."""

    def __init__(
        self, service: Service, version: str, directory: Path, progress: Progress, deadline: float
    ) -> None:
        """`deadline` is in terms of time.monotonic()."""
        self._service = service
        self._version = version
        self._directory = directory
        self._progress = progress
        self._deadline = deadline

    def run(self, link: Path) -> StoredWheel:
        """Build it, and make `link` lead to it. Raises `StepFailed`, having left nothing."""
        builds = self._directory / "builds"
        directory = builds / f"{self._version}.{secrets.token_hex(4)}"
        try:
            _remove_unfinished(builds)
            directory.mkdir(parents=True)
            return self._build(directory, link)
        except OSError as error:
            raise self._not_stored(error) from None
        finally:
            if link.resolve() != directory.resolve():  # also if it was interrupted
                shutil.rmtree(directory, ignore_errors=True)

    def _build(self, directory: Path, link: Path) -> StoredWheel:
        (directory / REQUIREMENTS).write_bytes(self._requirements())
        dependencies = self._dependencies(directory / REQUIREMENTS)
        wheel = self._wheel(directory, dependencies)
        self._install(directory / "env", wheel, dependencies)
        stored = StoredWheel.of(directory, wheel, dependencies)
        _write_whole(directory / MANIFEST, stored.manifest())
        _link(link, directory)
        return stored

    def _requirements(self) -> bytes:
        artifact = self._service.artifact
        try:
            return (artifact.source / artifact.requirements).read_bytes()
        except OSError as error:
            raise ConfigInvalid(
                f"{error.filename} cannot be read: {error.strerror}.",
                state=NOTHING_STORED,
                advice="A wheel's dependencies are locked there: name each with its version and "
                "hashes (uv pip compile --generate-hashes, or pip-compile).",
            ) from None

    def _dependencies(self, requirements: Path) -> Path:
        """The environment of the locked dependencies, made if it is not there."""
        python = f"{sys.version} {sys.platform} {sys.base_prefix}"
        key = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()[:16]
        environment = self._directory / "dependencies" / key
        if environment.is_dir():
            return environment
        unfinished = requirements.parent / "dependencies"
        self._make_environment(unfinished)
        locked = ("install", "--require-hashes", "--no-deps", f"--requirement={requirements}")
        self._pip("install dependencies", unfinished, *locked)
        environment.parent.mkdir(exist_ok=True)
        return unfinished.rename(environment)

    def _wheel(self, directory: Path, dependencies: Path) -> Path:
        self._pip(
            "build the wheel",
            dependencies,
            *("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={directory}"),
            str(self._service.artifact.source),
            environment={"GP_VERSION": self._version, "SOURCE_DATE_EPOCH": EPOCH},
        )
        (wheel,) = directory.glob("*.whl")
        return wheel

    def _install(self, environment: Path, wheel: Path, dependencies: Path) -> None:
        self._make_environment(environment)
        self._pip(
            "install the wheel", environment, "install", "--no-deps", "--no-index", str(wheel)
        )
        (site,) = environment.glob("lib/python*/site-packages")
        shared = dependencies / site.relative_to(environment)
        (site / "dependencies.pth").write_text(f"{shared}\n")

    def _make_environment(self, environment: Path) -> None:
        argv = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
        self._command("make an environment", argv, {})

    def _pip(
        self,
        doing: str,
        python: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run this environment's pip for that of `python`."""
        pip = [sys.executable, "-m", "pip", "--python", str(python / "bin" / "python")]
        quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
        self._command(doing, [*pip, *quiet, *arguments], environment or {})

    def _command(self, doing: str, argv: list[str], environment: Mapping[str, str]) -> None:
        self._progress(f"{self._version}: {doing}")
        timeout = max(0.0, self._deadline - time.monotonic())
        with Command(argv, environment={**_inherited(), **environment}) as command:
            try:
                code = command.wait(
                    timeout,
                    lambda lines: self._progress(f"{self._version}: {lines}"),
                    lambda seconds: self._progress(f"{self._version}: {doing}, {seconds:.0f} s"),
                )
            except CommandTimedOut:
                raise self._failed(doing, "did not end in its time", command.tail) from None
        if code != 0:
            raise self._failed(doing, f"ended with exit code {code}", command.tail)

    def _failed(self, doing: str, how: str, tail: str) -> StepFailed:
        lines = f" Its last lines:\n{tail}" if tail else ""
        return StepFailed(
            f'The build of {self._service.name} {self._version} failed: "{doing}" {how}.{lines}',
            state=NOTHING_STORED,
            advice=f"Correct what it says in {self._service.artifact.source} and release again. "
            f"{self._service.artifact.requirements} must lock all dependencies with their hashes, "
            "and the build backend too.",
        )

    def _not_stored(self, error: OSError) -> StepFailed:
        return StepFailed(
            f"{self._service.name} {self._version} cannot be stored: {error}.",
            state=NOTHING_STORED,
            advice=f"See to it that {self._directory} can be written to and has room.",
        )


def _inherited() -> dict[str, str]:
    wanted = {*INHERITED, *INHERITED_FOR_DOWNLOADS, *PROXIES, *map(str.lower, PROXIES)}
    return {
        name: value
        for name, value in os.environ.items()
        if name in wanted or name.startswith("PIP_")
    }


def _remove_unfinished(builds: Path) -> None:
    """What killed builds have left: without a manifest, nothing runs from it."""
    for directory in builds.glob("*"):
        if not (directory / MANIFEST).exists():
            shutil.rmtree(directory, ignore_errors=True)  # a process of it may still be writing


def _write_whole(file: Path, content: str) -> None:
    """The name appears with the content on disk, or not at all."""
    new = file.with_suffix(".new")
    with new.open("w") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.rename(file)


def _link(link: Path, directory: Path) -> None:
    link.parent.mkdir(exist_ok=True)
    new = link.with_name(f".{directory.name}")
    new.symlink_to(os.path.relpath(directory, link.parent))
    new.rename(link)
