"""What is to be tried: pending files of SQL, or a service's own migrate command."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gp_pipelines.errors import ConfigInvalid

NO_TRANSACTION = "-- no-transaction"


@dataclass(frozen=True, slots=True)
class SqlFile:
    """In a transaction of its own, unless it begins with `-- no-transaction`, as sqlx has it."""

    name: str
    text: str

    @property
    def in_transaction(self) -> bool:
        return not self.text.startswith(NO_TRANSACTION)


@dataclass(frozen=True, slots=True)
class ForeignCommand:
    """A foreign command. It gets the shadow's URL where the live database's would be."""

    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]  # without the database's URL
    variable: str  # which the URL is given in
    secrets: tuple[str, ...] = ()  # values that its output must not show
    timeout: float = 600.0  # seconds


def sql_files(directory: Path) -> tuple[SqlFile, ...]:
    """All `.sql` files of a directory but the ways back (`.down.sql`), in name order.

    Raises `ConfigInvalid` for a directory that has none: a wrong path must not pass a check.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.name.endswith(".sql"))
        files = tuple(
            SqlFile(path.name, path.read_text("utf-8-sig"))
            for path in paths
            if not path.name.endswith(".down.sql")
        )
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"The migrations in {directory} cannot be read: {error}") from None
    if not files:
        raise ConfigInvalid(
            f"There is no .sql file in {directory}.",
            state="Nothing was checked.",
            advice="Name the directory that holds the pending migrations.",
        )
    return files
