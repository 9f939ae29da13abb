"""What the tables of migration tools say is applied, as people would name it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import errors, sql
from psycopg.rows import dict_row

from gp_pipelines.databases.connection import Session


@dataclass(frozen=True, slots=True)
class _Book:
    """How a tool keeps its table."""

    name: str  # of a migration, by the row's columns
    order: str  # the column by which the newest is the last
    counts: str = ""  # a column that is true for what was finished; empty: every row was

    def names(self, rows: list[dict[str, Any]]) -> list[str]:
        done = [row for row in rows if not self.counts or row[self.counts]]
        ordered = sorted(done, key=lambda row: (row[self.order] is not None, row[self.order]))
        # Flyway's repeatable ones have no version.
        said = ({key: "" if row[key] is None else row[key] for key in row} for row in ordered)
        return [self.name.format_map(row).strip() for row in said]


# Several tools have called their table `schema_version` or `migrations`: the first that fits.
_BOOKS: Mapping[str, tuple[_Book, ...]] = {
    "_sqlx_migrations": (_Book("{version}_{description}", "version", "success"),),
    "django_migrations": (_Book("{app}.{name}", "id"),),
    "alembic_version": (_Book("alembic {version_num}", "version_num"),),
    "flyway_schema_history": (_Book("{version} {description}", "installed_rank", "success"),),
    "schema_version": (
        _Book("{version} {description}", "installed_rank", "success"),
        _Book("{version}", "version"),
    ),
    "schema_migrations": (_Book("{version}", "version"),),
    "goose_db_version": (_Book("{version_id}", "id", "is_applied"),),
    "gorp_migrations": (_Book("{id}", "id"),),
    "migrations": (
        _Book("{name}", "id"),  # TypeORM
        _Book("{migration}", "id"),  # Laravel
    ),
    "knex_migrations": (_Book("{name}", "id"),),
    "databasechangelog": (_Book("{filename}:{id}", "orderexecuted"),),
    "__EFMigrationsHistory": (_Book("{MigrationId}", "MigrationId"),),
    "_prisma_migrations": (_Book("{migration_name}", "started_at", "finished_at"),),
    "__diesel_schema_migrations": (_Book("{version}", "version"),),
    "refinery_schema_history": (_Book("{version}_{name}", "version"),),
    "SequelizeMeta": (_Book("{name}", "name"),),
    "pgmigrations": (_Book("{name}", "id"),),
    "atlas_schema_revisions": (_Book("{version} {description}", "version"),),
    "__drizzle_migrations": (_Book("{hash}", "id"),),
    "_yoyo_migration": (_Book("{migration_id}", "applied_at_utc"),),
    "phinxlog": (_Book("{version} {migration_name}", "version"),),
    "doctrine_migration_versions": (_Book("{version}", "version"),),
    "migration_versions": (_Book("{version}", "version"),),
}
_FOUND = r"""
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY(%s) AND c.relkind = 'r' AND n.nspname NOT LIKE 'pg\_%%'
    ORDER BY array_position(%s::text[], c.relname::text), n.nspname
"""


def applied_names(session: Session) -> tuple[str, ...]:
    """The applied migrations of whatever tools keep a table here, each tool's newest last.

    Empty where no tool does, or where the role of `session` may not read what it keeps. A
    migration that was begun and not finished is none.
    """
    books = list(_BOOKS)
    found = session.execute(_FOUND, [books, books]).fetchall()
    names: dict[str, None] = {}
    for schema, table in found:
        names |= dict.fromkeys(_names(session, str(schema), str(table)))
    return tuple(names)


def _names(session: Session, schema: str, table: str) -> list[str]:
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))
    try:
        with session.transaction(), session.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(query).fetchall()
    except errors.InsufficientPrivilege:
        return []
    for book in _BOOKS[table]:
        try:
            return book.names(rows)
        except (KeyError, TypeError):  # a table of another tool that has the same name
            continue
    return []
