"""One build on disk: what it consists of, and whether it is still that."""

import csv
import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

MANIFEST = "manifest.json"
REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True, slots=True)
class StoredWheel:
    directory: Path
    digest: str
    wheel: str  # its file's name
    dependencies: str  # the directory of their environment
    installed: dict[str, str]  # the SHA-256 of each file that the wheel brought, by path in env/

    @classmethod
    def of(cls, directory: Path, wheel: Path, dependencies: Path) -> "StoredWheel":
        """What was just built and installed in `directory`."""
        environment = directory / "env"
        return cls(
            directory=directory,
            digest=digest(wheel, directory / REQUIREMENTS),
            wheel=wheel.name,
            dependencies=str(dependencies),
            installed={
                str(file.relative_to(environment)): _sha256(file)
                for file in _installed_files(environment)
            },
        )

    @classmethod
    def read(cls, directory: Path) -> "StoredWheel | None":
        """None if there is no whole build."""
        try:
            content = json.loads((directory / MANIFEST).read_text())
            return cls(directory=directory, **content)
        except (OSError, ValueError, TypeError):
            return None

    def manifest(self) -> str:
        content = asdict(self)
        del content["directory"]
        return json.dumps(content, indent=1, sort_keys=True)

    @property
    def size(self) -> int:
        """Of the wheel, in bytes."""
        return (self.directory / self.wheel).stat().st_size

    def executable(self, name: str) -> Path:
        return self.directory / "env" / "bin" / name

    def problem(self) -> str:
        """What is not as it was built, naming the file; empty if nothing is."""
        wheel, requirements = self.directory / self.wheel, self.directory / REQUIREMENTS
        try:
            if digest(wheel, requirements) != self.digest:
                return f"{wheel} and {REQUIREMENTS} beside it do not have the digest {self.digest}"
            for path, expected in self.installed.items():
                file = self.directory / "env" / path
                if _sha256(file) != expected:
                    return f"{file} was changed"
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        except zipfile.BadZipFile as error:
            return f"{wheel}: {error}"
        if not Path(self.dependencies).is_dir():
            return f"{self.dependencies}, which holds its dependencies, is gone"
        return ""

    def read_directory(self, directory: str) -> dict[str, bytes]:
        """The files directly in `directory` of the wheel, by name."""
        wanted = PurePosixPath(directory)
        with zipfile.ZipFile(self.directory / self.wheel) as archive:
            return {
                path.name: archive.read(str(path))
                for path in map(PurePosixPath, archive.namelist())
                if path.parent == wanted
            }


def digest(wheel: Path, requirements: Path) -> str:
    """Of what the wheel holds and of what its dependencies are locked to.

    Not of the archive's bytes: the same content compressed by another zlib is the same artifact.
    """
    total = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            total.update(f"{hashlib.sha256(archive.read(name)).hexdigest()}  {name}\n".encode())
    total.update(f"{_sha256(requirements)}  {REQUIREMENTS}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _installed_files(environment: Path) -> Iterator[Path]:
    """Those that the wheel's RECORD lists, without what Python compiled of them."""
    (record,) = environment.glob("lib/python*/site-packages/*.dist-info/RECORD")
    for path, _, _ in csv.reader(record.read_text().splitlines()):
        if not path.endswith(".pyc"):
            yield (record.parent.parent / path).resolve()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
