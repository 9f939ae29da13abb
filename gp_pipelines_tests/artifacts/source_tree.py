"""A service's source tree, with a dependency that comes from no registry."""

import hashlib
import shutil
import zipfile
from pathlib import Path

from gp_pipelines.services import Service
from gp_pipelines_tests.artifacts import build_backend

PYPROJECT = """
[build-system]
requires = []
build-backend = "build_backend"
backend-path = ["."]
"""


class SourceTree:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        (root / "pyproject.toml").write_text(PYPROJECT)
        shutil.copy(build_backend.__file__, root)
        self.lock("1")
        self.behave("be_good")

    def behave(self, how: str) -> None:
        """Like this function of the build backend."""
        (self.root / "behaviour.txt").write_text(how)

    def lock(self, version: str) -> None:
        """The dependency to this version of it."""
        wheel = self.root / f"dependency-{version}-py3-none-any.whl"
        _write_dependency(wheel, version)
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.require(f"dependency @ {wheel.as_uri()} --hash=sha256:{sha256}\n")

    def require(self, requirements: str) -> None:
        (self.root / "requirements.txt").write_text(requirements)

    def service(self) -> Service:
        return Service.model_validate(
            {
                "name": "pirates",
                "artifact": {"kind": "wheel", "source": self.root, "versions": ["v2", "v1"]},
                "command": ["pirates"],
                "identity": {"path": "/health"},
                "smoke": {"checks": [{"path": "/health"}]},
            }
        )


def _write_dependency(wheel: Path, version: str) -> None:
    information = f"dependency-{version}.dist-info"
    files = {
        "dependency.py": f"VERSION = {version!r}\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: dependency\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{information}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in {**files, f"{information}/RECORD": record}.items():
            archive.writestr(file, content)
