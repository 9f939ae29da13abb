"""Which column a query's parameter is for: it gets the value that the made-up rows have there."""

import re
from collections.abc import Iterator, Mapping, Sequence

from gp_pipelines.databases.compatibility.catalogue import Catalogue
from gp_pipelines.databases.compatibility.sample import Values

_COMPARED = re.compile(
    r'(?P<name>"(?:[^"]|"")+"|\w+)\s*(?:=|<=|>=)\s*(?:ANY\s*\(\s*)?\$(?P<number>\d+)(?P<any>\s*\))?',
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"\$(\d+)")


def values_of(
    query: str,
    relations: Sequence[int],
    inserted: Mapping[int, tuple[str, ...]],
    catalogue: Catalogue,
    given: Values,
) -> dict[int, str | None]:
    """By the parameter's number, as far as the query tells: `column = $1`, or an INSERT of it."""
    found: dict[int, str | None] = {}
    for number, column in _compared(query, relations, catalogue):
        if column in given:
            found.setdefault(number, given[column])
    for relation, expressions in inserted.items():
        for position, expression in enumerate(expressions, 1):
            numbers = _PARAMETER.findall(expression)
            if len(numbers) == 1 and (relation, position) in given:
                found[int(numbers[0])] = given[relation, position]
    return found


def _compared(
    query: str, relations: Sequence[int], catalogue: Catalogue
) -> Iterator[tuple[int, tuple[int, int]]]:
    for match in _COMPARED.finditer(query):
        if match["any"]:  # one of many: an array of its type does
            continue
        name = match["name"].strip('"').lower()
        for relation in relations:
            for column in catalogue.columns_of(relation):
                if column.name.strip('"').lower() == name:
                    yield int(match["number"]), (relation, column.number)
