"""How it is known which migrations a database has: by numbered files, or by the command alone."""

from dataclasses import dataclass
from typing import Protocol

from gp_pipelines.databases.applied import applied_names
from gp_pipelines.databases.connection import Session
from gp_pipelines.databases.fingerprint import schema_fingerprint
from gp_pipelines.databases.sqlx import MigrationFile, applied_migrations, pending


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a database says of its migrations."""

    applied: tuple[str, ...]
    missing: tuple[str, ...] = ()  # of the files
    unfinished: tuple[str, ...] = ()  # begun, and not brought to their end


class Tracking(Protocol):
    def pending(self, session: Session) -> tuple[str, ...] | None:
        """What is to be applied. None: only the command knows.

        Raises `Refused` where the tables say that the schema cannot be known.
        """
        ...

    def read(self, session: Session) -> Tracked: ...


@dataclass(frozen=True, slots=True)
class ByFiles:
    """Implements `Tracking` for sqlx's layout and table."""

    files: tuple[MigrationFile, ...]

    def pending(self, session: Session) -> tuple[str, ...] | None:
        return pending(self.files, applied_migrations(session)).versions

    def read(self, session: Session) -> Tracked:
        rows = applied_migrations(session)
        names = {row.version: row.name for row in rows.values()}
        names |= {file.number: file.name for file in self.files}
        done = [number for number, row in rows.items() if row.success]
        return Tracked(
            applied=tuple(names[number] for number in done),
            missing=tuple(file.name for file in self.files if file.number not in done),
            unfinished=tuple(names[number] for number in rows if number not in done),
        )


class ByCommand:
    """Implements `Tracking` for a command of its own: by the tables of the tools that are known,
    and where there is none, by the schema itself."""

    def pending(self, session: Session) -> tuple[str, ...] | None:
        return None

    def read(self, session: Session) -> Tracked:
        return Tracked(applied_names(session) or (schema_fingerprint(session).name,))
