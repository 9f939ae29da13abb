"""What the old version does with which table, as far as its queries tell."""

import re
from collections.abc import Iterable, Mapping, Sequence

from gp_pipelines.databases.compatibility.catalogue import Catalogue, Column
from gp_pipelines.databases.compatibility.queries import WRITES, Outcome

_STRING = re.compile(r"'(?:[^']|'')*'")
ALL = WRITES | {"SELECT"}


class Usage:
    """Where its queries are not all known, it may do anything with everything."""

    def __init__(
        self,
        catalogue: Catalogue,
        before: Sequence[Outcome],
        after: Sequence[Outcome],
        *,
        complete: bool,
        assumed: Sequence[str] = (),
    ) -> None:
        """`assumed` are those of the queries that nobody has said it has."""
        self.complete = complete
        self._assumed = frozenset(assumed)
        self._catalogue = catalogue
        self._before = tuple(before)
        self._after = {each.query: each for each in after}
        self._operations: dict[int, frozenset[str]] = {}
        for outcome in before:
            for table, does in outcome.operations.items():
                for each in (table, *self._above(table)):
                    self._operations[each] = self._operations.get(each, frozenset()) | does

    def does(self, relation: int, *operations: str) -> bool:
        """Whether it does one of `operations` (without any: anything) with the relation."""
        if not self.complete:
            return True
        known = self._operations.get(relation, frozenset()).union(
            *(self._operations.get(each, frozenset()) for each in self._above(relation))
        )
        return bool(known & set(operations or ALL))

    def writes(self, relation: int) -> bool:
        return self.does(relation, "INSERT", "UPDATE")

    def gives(self, relation: int, column: Column) -> bool:
        """Whether what it writes into a column may be any value: a parameter, or computed."""
        return not self.complete or any(
            self._gives(outcome, relation, column)
            for outcome in self._before
            if outcome.operations.get(relation, frozenset()) & {"INSERT", "UPDATE"}
        )

    def mentions(self, *names: str) -> bool:
        """Whether a query says one of these names, schemas left aside."""
        if not self.complete:
            return True
        bare = {_bare(name) for name in names}
        return any(_mentions(outcome.query, name) for outcome in self._before for name in bare)

    def breaks(self, relation: int, name: str) -> bool:
        """Whether a query that uses the relation and says `name` worked, and does no longer."""
        return any(
            outcome.works
            and relation in outcome.operations
            and _mentions(outcome.query, _bare(name))
            and not self._after[outcome.query].works
            for outcome in self._before
        )

    def proved(self, relations: Iterable[int] = (), names: Iterable[str] = ()) -> bool:
        """Whether each query that uses one of these was executed after the migration, and gave the
        same as before. Where the queries are not all known, some that are assumed have to be."""
        wanted, bare = set(relations), {_bare(name) for name in names}
        concerned = [
            each
            for each in self._before
            if wanted.intersection(each.operations)
            or any(_mentions(each.query, name) for name in bare)
        ]
        told = self.complete or any(each.query in self._assumed for each in concerned)
        return told and all(self._same(each) for each in concerned)

    def writes_tried(self, relation: int) -> bool:
        """Whether each query that writes there was executed after the migration."""
        return all(
            (after := self._after.get(each.query)) is not None
            and after.tried is not None
            and not after.tried.error
            for each in self._before
            if each.works and each.operations.get(relation, frozenset()) & WRITES
        )

    def inserted(self, relation: int, number: int) -> tuple[tuple[str, str], ...]:
        """What each INSERT gives a column, before the migration and after it, as expressions.

        An expression that differs is the column's default. Empty where nothing is known.
        """
        if not self.complete:
            return ()  # another one may leave the column out
        found = []
        for outcome in self._before:
            after = self._after.get(outcome.query)
            values = outcome.inserted.get(relation, ())
            now = after.inserted.get(relation, ()) if after else ()
            if len(now) >= number:
                was = values[number - 1] if len(values) >= number else ""
                found.append((was, now[number - 1]))
        return tuple(found)

    def _gives(self, outcome: Outcome, relation: int, column: Column) -> bool:
        operations = outcome.operations[relation]
        if "UPDATE" in operations and _mentions(outcome.query, _bare(column.name)):
            return True
        values = outcome.inserted.get(relation, ())
        if "INSERT" in operations and len(values) >= column.number:
            return not _is_constant(values[column.number - 1])
        known = "INSERT" not in operations or bool(values)
        return not known  # a function that writes: what it gives is not in the query

    def _above(self, relation: int) -> tuple[int, ...]:
        return self._catalogue.ancestors(relation) if relation in self._catalogue.relations else ()

    def _same(self, before: Outcome) -> bool:
        after = self._after.get(before.query)
        if after is None or before.tried is None or after.tried is None:
            return False
        if before.tried.error or after.tried.error or before.tried.rows != after.tried.rows:
            return False
        # What a write returns is new each time: a number of a sequence, for one.
        reads = not any(does & WRITES for does in before.operations.values())
        return not reads or before.tried.results == after.tried.results


def _is_constant(expression: str) -> bool:
    """NULL, a literal, or a default: no parameter, and nothing from another row."""
    return "$" not in expression and not re.search(r"\w\.\w", _STRING.sub("", expression))


def _bare(name: str) -> str:
    """The last part of a qualified name, without arguments and quotes."""
    return name.split("(", 1)[0].rsplit(".", 1)[-1].strip('"').lower()


def _mentions(query: str, name: str) -> bool:
    words: Mapping[str, None] = dict.fromkeys(
        "".join(c if c.isalnum() or c == "_" else " " for c in query.lower()).split()
    )
    return name in words
