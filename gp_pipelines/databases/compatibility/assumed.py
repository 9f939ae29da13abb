"""What a version could ask that nobody has told us of: the plainest queries of its tables.

They show what a new trigger, a rule, a policy or another view does to a program that reads and
writes there. Only relations that the migration names are asked about.
"""
# ruff: noqa: S608 - the names come from the catalogue, quoted as SQL writes them

import re
from collections.abc import Iterator, Sequence

from gp_pipelines.databases.compatibility.catalogue import (
    SEQUENCE,
    Catalogue,
    Column,
    Relation,
)
from gp_pipelines.databases.compatibility.migrations import ForeignCommand, SqlFile

MOST = 40  # relations


def queries(
    catalogue: Catalogue, migrations: Sequence[SqlFile] | ForeignCommand
) -> tuple[str, ...]:
    named = [each for each in catalogue.relations.values() if each.kind != SEQUENCE]
    if not isinstance(migrations, ForeignCommand):
        words = set(re.findall(r"\w+", " ".join(file.text for file in migrations).lower()))
        named = [each for each in named if _plain(each) in words]
    return tuple(query for each in named[:MOST] for query in _of(catalogue, each))


def _of(catalogue: Catalogue, relation: Relation) -> Iterator[str]:
    columns = catalogue.columns_of(relation.oid)
    if columns:
        yield f"SELECT {_names(columns)} FROM {relation.name}"
    if not relation.is_table:
        return
    written = [each for each in columns if not each.generated and each.identity != "a"]
    if written:
        parameters = ", ".join(f"${number}" for number in range(1, len(written) + 1))
        yield f"INSERT INTO {relation.name} ({_names(written)}) VALUES ({parameters})"
        settings = ", ".join(f"{each.name} = ${n}" for n, each in enumerate(written, 1))
        yield f"UPDATE {relation.name} SET {settings}"
    yield f"DELETE FROM {relation.name}"


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(each.name for each in columns)


def _plain(relation: Relation) -> str:
    return relation.name.rsplit(".", 1)[-1].strip('"').lower()
