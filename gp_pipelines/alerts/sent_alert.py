"""One alert as a stranger sent it: JSON, until it is understood.

Alertmanager's API, its webhook and our plain format have these fields in common. What does not
have them is refused, never guessed at: an alert moves traffic.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.errors import GpError, quoted

MOST_LABELS = 128
LONGEST_LABEL = 4096
LONGEST_ANNOTATION = 4096  # for people only, so a longer one is cut; a label is what an alert *is*
# A start that lies further ahead would be after any switch, whenever the alert really began.
FUTURE_SECONDS = 60

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class AlertMalformed(GpError):
    """This one alert cannot be understood. It never launches anything."""


def understand(sent: Any, *, feed: str, now: datetime, resolved: bool = False) -> Alert:
    """The alert in `sent`, a decoded JSON value, seen for the first time `now`.

    Raises `AlertMalformed`, which names the field that is wrong.
    """
    try:
        fields = _Sent.model_validate(sent)
    except ValidationError as error:
        raise AlertMalformed(_wrong_field(error)) from None
    if fields.starts_at > now + timedelta(seconds=FUTURE_SECONDS):
        raise AlertMalformed(
            f"startsAt: {fields.starts_at.isoformat()} lies more than {FUTURE_SECONDS} s in the "
            f"future; it is {now.isoformat(timespec='seconds')} here"
        )
    return Alert(
        feed=feed,
        fingerprint=fingerprint(fields.labels),
        labels=fields.labels,
        annotations={name: text[:LONGEST_ANNOTATION] for name, text in fields.annotations.items()},
        starts_at=fields.starts_at,
        seen_at=now,
        resolved=resolved,
    )


def fingerprint(labels: Mapping[str, str]) -> str:
    """The same for the same set of labels, in whatever order they came.

    A sender's own is not taken, though Alertmanager has one: two alerts to which a script gives
    the same would be one.
    """
    text = json.dumps(labels, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _in_rfc3339(value: Any) -> Any:
    # Pydantic alone would take a number for the seconds since 1970, or for the milliseconds.
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("should be a time with zone in RFC 3339, such as 2026-08-01T12:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:  # in the year 1, or 9999
        raise ValueError("should be a time of our days") from None


class _Sent(BaseModel):
    model_config = ConfigDict(strict=True)

    labels: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL)],
            Annotated[str, Field(max_length=LONGEST_LABEL)],
        ],
        Field(min_length=1, max_length=MOST_LABELS),
    ]
    annotations: Annotated[dict[str, str], Field(max_length=MOST_LABELS)] = {}
    starts_at: Annotated[
        datetime,
        Field(alias="startsAt", strict=False),
        BeforeValidator(_in_rfc3339),
        AfterValidator(_in_utc),
    ]


def _wrong_field(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = quoted(".".join(str(part) for part in problem["loc"]))
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else f"an alert: {message}"
