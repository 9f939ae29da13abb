"""The migrations of this version, in sqlx's layout: `<number>_<description>.sql`."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

TABLE = "_sqlx_migrations"
NO_TRANSACTION = b"-- no-transaction"  # as a file's first characters, as with sqlx


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    description: str
    statements: bytes

    @property
    def checksum(self) -> bytes:
        return hashlib.sha384(self.statements).digest()

    @property
    def in_transaction(self) -> bool:
        return not self.statements.startswith(NO_TRANSACTION)


def migrations() -> list[Migration]:
    """By number."""
    found = []
    for file in (files("ghostpirates_api") / "migrations").iterdir():
        number, _, description = file.name.removesuffix(".sql").partition("_")
        found.append(Migration(int(number), description.replace("_", " "), file.read_bytes()))
    return sorted(found, key=lambda migration: migration.number)
