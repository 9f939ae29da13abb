"""The tables in which migration tools note what they have applied, and those that they fill where
they find them empty. Their rows go to the shadow."""

from contextlib import suppress

from psycopg import errors, sql

from gp_pipelines.databases.connection import Session

TABLES = (
    *("_sqlx_migrations", "django_migrations", "django_content_type", "auth_permission"),
    "django_site",
    *("alembic_version", "flyway_schema_history", "schema_version", "schema_migrations"),
    *("ar_internal_metadata", "goose_db_version", "gorp_migrations", "migrations"),
    *("migrations_lock", "knex_migrations", "knex_migrations_lock", "databasechangelog"),
    *("databasechangeloglock", "__EFMigrationsHistory", "_prisma_migrations"),
    *("__diesel_schema_migrations", "refinery_schema_history", "SequelizeMeta", "pgmigrations"),
    *("atlas_schema_revisions", "__drizzle_migrations", "_yoyo_migration", "_yoyo_log"),
    *("yoyo_lock", "phinxlog", "doctrine_migration_versions", "migration_versions"),
)
_FOUND = """
    SELECT n.nspname, c.relname,
           array(SELECT attname::text FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.attgenerated = '' ORDER BY a.attnum)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY(%s) AND c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT')
      AND n.nspname NOT LIKE 'pg\\_%%'
"""
_SEQUENCES = """
    SELECT s.oid, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                    AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE n.nspname = %s AND c.relname = %s
"""


def copy_rows(live: Session, shadow: Session) -> None:
    """Those that the shadow has, as it is loaded: without them a tool would begin at its first."""
    shadow.execute("SET session_replication_role = replica")
    for schema, table, columns in live.execute(_FOUND, [list(TABLES)]).fetchall():
        assert isinstance(columns, list)
        name = sql.Identifier(str(schema), str(table))
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        read = sql.SQL("COPY (SELECT {} FROM ONLY {}) TO STDOUT").format(names, name)
        write = sql.SQL("COPY {} ({}) FROM STDIN").format(name, names)
        with (
            suppress(errors.UndefinedTable),
            live.cursor().copy(read) as rows,
            shadow.cursor().copy(write) as copied,
        ):
            for block in rows:
                copied.write(block)
        _advance(shadow, str(schema), str(table))
    shadow.execute("RESET session_replication_role")


def _advance(shadow: Session, schema: str, table: str) -> None:
    """Or the next row would get the number of one that was copied."""
    for sequence, column in shadow.execute(_SEQUENCES, [schema, table]).fetchall():
        shadow.execute(
            sql.SQL("SELECT setval(%s::oid::regclass, max({})) FROM {} HAVING max({}) > 0").format(
                sql.Identifier(str(column)),
                sql.Identifier(schema, table),
                sql.Identifier(str(column)),
            ),
            [sequence],
        )
