"""Migrations as sqlx lays them out: numbered SQL files, and a table of those that were applied.

The layout and the table are those of sqlx 0.8 (sqlx-core/src/migrate): files are named
`<number>_<description>.sql`, or `.up.sql` beside a `.down.sql`; the checksum is the SHA-384 of the
file's bytes; a row with `success = false` is a migration that was begun and not finished.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.rows import class_row

from gp_pipelines.databases.connection import Session
from gp_pipelines.databases.contract import Pending, Schema
from gp_pipelines.errors import Refused

TABLE = "_sqlx_migrations"
LARGEST = 2**63 - 1  # the table's number is a bigint
UNTOUCHED = "The database was not changed, and traffic is where it was."
_FILE = re.compile(r"(?P<number>[^_]*)_(?P<description>.*)\.sql", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """One file that changes the schema forward."""

    number: int
    file: str
    checksum: bytes

    @property
    def name(self) -> str:
        return self.file.removesuffix(".sql").removesuffix(".up")


@dataclass(frozen=True, slots=True)
class Applied:
    """One row of the table."""

    version: int
    description: str
    success: bool
    checksum: bytes

    @property
    def name(self) -> str:
        return f"{self.version}_{self.description.replace(' ', '_')}"


def migration_files(directory: Mapping[str, bytes]) -> tuple[MigrationFile, ...]:
    """The migrations among the files of a directory, by number.

    Files of other names are nobody's migrations, for sqlx too. Raises `Refused` for two files with
    one number, and for a name that lacks its number: that one was meant to be a migration.
    """
    found: dict[int, MigrationFile] = {}
    for file, content in directory.items():
        match = _FILE.fullmatch(file)
        if match is None or file.endswith(".down.sql"):
            continue
        digits = match["number"]
        if not (digits.isascii() and digits.isdigit() and int(digits) <= LARGEST):
            raise Refused(
                f"The migration {file} does not start with its number.",
                state=UNTOUCHED,
                advice="Name it <number>_<description>.sql and build the version again.",
            )
        migration = MigrationFile(int(digits), file, hashlib.sha384(content).digest())
        other = found.setdefault(migration.number, migration)
        if other is not migration:
            raise Refused(
                f"The migrations {other.file} and {file} have the same number.",
                state=UNTOUCHED,
                advice="Give one of them another number and build the version again.",
            )
    return tuple(found[number] for number in sorted(found))


def applied_migrations(session: Session) -> dict[int, Applied]:
    """The rows of the table, by number; none if there is no table yet."""
    if session.execute("SELECT to_regclass(%s)", [TABLE]).fetchone() == (None,):
        return {}
    with session.cursor(row_factory=class_row(Applied)) as cursor:
        cursor.execute(
            "SELECT version, description, success, checksum FROM _sqlx_migrations ORDER BY version"
        )
        return {row.version: row for row in cursor}


def schema(applied: Mapping[int, Applied]) -> Schema:
    """The schema that `applied` have made: a migration that was begun only makes another one."""
    rows = sorted(applied.items())
    content = "\n".join(f"{number} {row.success} {row.checksum.hex()}" for number, row in rows)
    name = rows[-1][1].name if rows else "no migration"
    return Schema(name, hashlib.sha256(content.encode()).hexdigest()[:24])


def require_in_order(pending: Pending) -> None:
    """Raises `Refused` for a migration that is older than one that is applied already.

    What comes after it was tried without it, and on another machine in another order.
    """
    if pending.out_of_order:
        raise Refused(
            f"{', '.join(pending.out_of_order)} would be applied after newer migrations: it was "
            "numbered before they were, and added after they had been applied.",
            state=UNTOUCHED,
            advice="Give it the next number and build the version again.",
        )


def pending(files: tuple[MigrationFile, ...], applied: Mapping[int, Applied]) -> Pending:
    """What of `files` is still to be applied.

    Raises `Refused` for a migration that was not finished, and for an applied one whose file has
    another content now: what the schema is then cannot be known from the files.
    """
    for row in applied.values():
        if not row.success:
            raise Refused(
                f"The migration {row.name} was begun and not finished: {TABLE} says "
                f"success = false for it, so the schema may hold a part of it.",
                state=UNTOUCHED,
                advice=f"Find out what of it was applied, finish or undo it by hand, then set "
                f"success = true for version {row.version} in {TABLE}, or delete its row.",
            )
    for file in files:
        if file.number in applied and applied[file.number].checksum != file.checksum:
            raise Refused(
                f"The migration {file.file} was changed after it was applied: its checksum is not "
                f"the one in {TABLE}, so the schema was made by another file than this one.",
                state=UNTOUCHED,
                advice="Put the file back to what was applied (line ends count too) and make the "
                "change in a new migration; then build the version again.",
            )
    waiting = [file for file in files if file.number not in applied]
    newest = max(applied, default=-1)
    known = {file.number for file in files}
    return Pending(
        versions=tuple(file.name for file in waiting),
        unknown=tuple(sorted(number for number in applied if number not in known)),
        out_of_order=tuple(file.name for file in waiting if file.number < newest),
    )
