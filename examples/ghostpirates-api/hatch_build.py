"""Builds the version that `GP_VERSION` names in versions.toml.

The wheel gets the migrations up to that version's schema, and `_release.py`, which says what it is.
"""

import os
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
PACKAGE = "ghostpirates_api"


def wanted() -> tuple[str, dict[str, Any]]:
    """Ends the build for a version that there is not."""
    versions = tomllib.loads((ROOT / "versions.toml").read_text())
    name = os.environ.get("GP_VERSION", "")
    if name not in versions:
        sys.exit(f"GP_VERSION={name!r} is no version of ghostpirates-api: {', '.join(versions)}.")
    return name, versions[name]


def package_version() -> str:
    return wanted()[0].removeprefix("v")


class VersionHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        name, traits = wanted()
        self._directory = tempfile.TemporaryDirectory()
        release = Path(self._directory.name) / "_release.py"
        release.write_text(
            f"VERSION = {name!r}\n"
            f"SCHEMA = {traits['schema']!r}\n"
            f"FAULT: str | None = {traits.get('fault')!r}\n"
        )
        build_data["force_include"][str(release)] = f"{PACKAGE}/_release.py"
        for file in sorted((ROOT / PACKAGE / "migrations").glob("*.sql")):
            if int(file.name.split("_")[0]) <= traits["schema"]:
                build_data["force_include"][str(file)] = f"{PACKAGE}/migrations/{file.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._directory.cleanup()
