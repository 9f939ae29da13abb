"""The catalogue before and after a migration, who uses it, and which statement changed what."""

from collections.abc import Sequence
from dataclasses import dataclass

from gp_pipelines.databases.compatibility.catalogue import Catalogue, Column, Relation
from gp_pipelines.databases.compatibility.recorder import Seen
from gp_pipelines.databases.compatibility.statements import bare, split
from gp_pipelines.databases.compatibility.usage import Usage
from gp_pipelines.databases.connection import Session


@dataclass(frozen=True, slots=True)
class Change:
    before: Catalogue
    after: Catalogue
    usage: Usage
    seen: tuple[Seen, ...]
    shadow: Session  # as superuser, after the migration

    def kept(self) -> Sequence[tuple[Relation, Relation]]:
        """Relations that are there before and after: nothing else can break the old version."""
        after = self.after.relations
        return [(each, after[oid]) for oid, each in self.before.relations.items() if oid in after]

    def is_new(self, relation: int) -> bool:
        return relation not in self.before.relations

    def column(self, relation: int, number: int) -> Column | None:
        """As it is after the migration."""
        return self.after.columns.get((relation, number))

    def new_columns(self, relation: int) -> frozenset[int]:
        """Those that the old version does not know, so it writes their default."""
        return frozenset(
            each.number
            for each in self.after.columns_of(relation)
            if (relation, each.number) not in self.before.columns
        )

    def touched(self, oid: int) -> bool:
        """Whether a statement made or changed this very object."""
        return any(oid == each for seen in self.seen for _, _, each in seen.touched)

    def statement(self, *oids: int, word: str = "") -> str:
        """The last statement that touched one of `oids`; rather one that has `word` in it."""
        plain = word.rsplit(".", 1)[-1].strip('"').lower()
        fallback = ""
        for seen in reversed(self.seen):
            if not any(oid in oids for _, _, oid in seen.touched):
                continue
            for piece in reversed(split(seen.statement)):
                if plain and plain in bare(piece).lower():
                    return piece
            fallback = fallback or seen.statement
        return fallback
