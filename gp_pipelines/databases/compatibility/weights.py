"""How much the live tables hold: what a lock on one costs follows from that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from gp_pipelines.databases.compatibility.catalogue import Relation
from gp_pipelines.databases.compatibility.finding import Severity
from gp_pipelines.databases.connection import Session

MB = 2**20
_SIZES: LiteralString = """
    SELECT format('%I.%I', n.nspname, c.relname),
           CASE c.relkind WHEN 'p' THEN
               (SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0)
                FROM pg_partition_tree(c.oid) t)
           ELSE pg_total_relation_size(c.oid) END::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


def table_sizes(live: Session) -> dict[str, int]:
    """Bytes of each table with its indexes, by qualified name."""
    return {str(name): int(str(size)) for name, size in live.execute(_SIZES)}


@dataclass(frozen=True, slots=True)
class Weights:
    """What the live tables weigh."""

    sizes: Mapping[str, int]
    large: int  # bytes

    def of(self, relation: Relation) -> int:
        return self.sizes.get(relation.name, 0)

    def severity(self, *relations: Relation) -> Severity:
        large = any(self.of(each) >= self.large for each in relations)
        return Severity.APPROVAL if large else Severity.NOTE

    def words(self, relation: Relation) -> str:
        return f"{relation.name} ({self.of(relation) / MB:,.0f} MB)"
