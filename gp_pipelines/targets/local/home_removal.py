"""Removing a home: what the local target made in it, and nothing else."""

import shutil

from gp_pipelines.errors import Refused
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.postgres_place import remove_place
from gp_pipelines.targets.local.unix_sockets import remove_short_directory

DIRECTORIES = (
    *("supervisor", "envoy", "dagster", "inbox", "webhook"),
    *("artifacts", "backups", "services"),
)
FILES = ("ports.json", "ports.lock", "postgres.lock", "stack.lock")


def require_home(home: Home) -> None:
    """Raises `Refused` for a directory in which no stack was ever started."""
    signs = (home.ports, home.supervisor / "supervisord.conf", home.root / "stack.lock")
    if home.root.exists() and not any(sign.exists() for sign in signs):
        raise Refused(
            f"{home.root} is not a home of gp_pipelines: nothing was ever started in it.",
            state="Nothing was removed.",
            advice="See what GP_HOME says.",
        )


def remove_home(home: Home) -> tuple[str, ...]:
    """Remove everything of a home whose programs have ended; the names of what is left there."""
    if not home.root.exists():
        return ()
    for directory in (home.supervisor, home.envoy, home.postgres.resolve() / "run"):
        remove_short_directory(directory)
    remove_place(home)
    for name in DIRECTORIES:
        shutil.rmtree(home.root / name, ignore_errors=True)
    for name in FILES:
        (home.root / name).unlink(missing_ok=True)
    left = tuple(sorted(path.name for path in home.root.iterdir()))
    if not left and not home.root.is_symlink():
        home.root.rmdir()
    return left
