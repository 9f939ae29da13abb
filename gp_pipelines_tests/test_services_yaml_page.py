"""docs/services-yaml.md names every field of services.yaml, with its default, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gp_pipelines.services import Service

PAGE = Path(__file__).parents[1] / "docs" / "services-yaml.md"
ROW = re.compile(r"^\| `(?P<field>[^`]+)` \| (?P<type>[^|]*)\| (?P<default>[^|]*)\|", re.MULTILINE)


def test_every_field_is_on_the_page_and_nothing_else() -> None:
    assert list(_rows()) == [path for path, _ in _fields(Service)]


def test_the_defaults_on_the_page_are_those_of_the_code() -> None:
    wrong = {
        path: (_rows()[path], _default(field))
        for path, field in _fields(Service)
        if _rows()[path] != _default(field)
    }
    assert wrong == {}


def _rows() -> dict[str, str]:
    return {row["field"]: row["default"].strip() for row in ROW.finditer(PAGE.read_text())}


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if (model, name) == (Service, "name"):
            continue  # it is the key above the service
        path = f"{prefix}{field.alias or name}"
        yield path, field
        for nested, step in _models(field.annotation, ""):
            yield from _fields(nested, f"{path}{step}.")


def _models(annotation: Any, step: str) -> Iterator[tuple[type[BaseModel], str]]:
    """The models in a type, with how one gets there: `[]` for an item, `.*` for any key."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, step
    inner = {tuple: "[]", dict: ".*"}.get(get_origin(annotation), "")
    for argument in get_args(annotation):
        yield from _models(argument, step + inner)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    assert default is not PydanticUndefined
    if default is None:
        return "none"
    if isinstance(default, BaseModel):
        return ""  # that of each of its fields
    shown = "[]" if default == () else default
    return f"`{shown}`"
