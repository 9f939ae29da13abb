"""Which schema a database has, where no table of sqlx's says so with its checksums."""

import hashlib

from gp_pipelines.databases.applied import applied_names
from gp_pipelines.databases.connection import Session
from gp_pipelines.databases.contract import Schema
from gp_pipelines.databases.schema_parts import told_parts


def schema_fingerprint(session: Session) -> Schema:
    """The schema as a program that uses it can tell, and what migration tools say is applied.

    The same for the live database and its shadow after the same migrations. Owners and grants,
    indexes that hold no rule, partitions, extensions and statistics are no part of it: they change
    while a version runs, without a migration, and it must not count as another schema then.
    """
    applied = applied_names(session)
    parts = (f"{part.kind} {part.name} {part.text}" for part in told_parts(session))
    content = "\n".join([*sorted(applied), "", *sorted(parts)])
    fingerprint = hashlib.sha256(content.encode()).hexdigest()[:24]
    return Schema(applied[-1] if applied else f"schema {fingerprint[:8]}", fingerprint)
