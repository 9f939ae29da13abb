"""Rows of any Django model."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import models

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def row(model: type[models.Model], number: int, *, sparse: bool = False) -> models.Model:
    """A new one, inserted, with those that it must refer to. Another `number` makes another one.

    `sparse`: with nothing in whatever may be NULL.
    """
    fields = [field for field in model._meta.concrete_fields if not _numbers_itself(field)]
    return model._base_manager.create(
        **{field.name: None if field.null and sparse else _value(field, number) for field in fields}
    )


def _numbers_itself(field: Any) -> bool:
    return isinstance(field, models.AutoField | models.BigAutoField)


def _value(field: Any, number: int) -> Any:
    if field.is_relation:
        return None if field.null else row(field.remote_field.model, number)
    if isinstance(field, models.BooleanField | models.NullBooleanField):
        return True
    if isinstance(field, models.DateTimeField):
        return _FIRST + timedelta(seconds=number)
    if isinstance(field, models.DateField):
        return (_FIRST + timedelta(days=number)).date()
    if isinstance(field, models.DurationField):
        return timedelta(seconds=number)
    if isinstance(field, models.UUIDField):
        return UUID(int=number)
    if isinstance(field, models.JSONField):
        return [f"https://example.com/{number}"]
    if isinstance(field, models.GenericIPAddressField):
        return f"10.0.{number // 256 % 256}.{number % 256}"
    if isinstance(field, models.IntegerField | models.DecimalField | models.FloatField):
        return number
    return f"{number}@example.com"[: field.max_length]
