"""The alerts that were sent to `gp webhook`, kept until they are over.

Their senders wait for the answer, and forget what was accepted: so it is on disk by then. What
was sent twice, or by both of two Alertmanagers, is one alert.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import URL, Connection, Row, case, delete, func, insert, null, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.alerts.inbox_database import InboxDatabase
from gp_pipelines.alerts.inbox_tables import alerts as table
from gp_pipelines.alerts.inbox_tables import micros, requests, time_of
from gp_pipelines.errors import Refused

# Alertmanager repeats what still fires every `repeat_interval`, 4 h by default. What was not
# repeated for longer has ended, and the message that said so is lost: a snooze that ends a day
# later must not roll back for it.
SILENT = timedelta(hours=5)
# A message that it fires, so soon after the one that it is resolved, was overtaken on its way:
# of two Alertmanagers, or of a retry. A later one is true: Alertmanager resolves what Prometheus
# could not repeat for a while, and then has it again, with the same start.
OVERTAKEN = timedelta(seconds=60)

KEPT = timedelta(days=7)
KEPT_RESOLVED = timedelta(days=1)
MOST_ALERTS = 50_000
REMEMBERED = timedelta(minutes=15)  # a signed request, which is valid for 10 at most

_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


class AlreadyAccepted(Refused):
    """This very request was accepted before."""


class Inbox:
    """Many processes may have it open: `gp webhook` writes, the sensor reads."""

    def __init__(self, url: str | URL) -> None:
        """`url` is SQLAlchemy's: of an SQLite file, which is made where there is none, or of a
        PostgreSQL."""
        self._database = InboxDatabase(url)

    def put(self, alerts: Sequence[Alert], signature: str | None = None) -> None:
        """Accept `alerts`, for each of which a label names the service. On disk upon return.

        Raises `AlreadyAccepted` for a `signature` that came before, and `InboxUnavailable`.
        """
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            if signature is not None:
                _remember(connection, signature, now)
            if alerts:
                # In one order: two that have each other's rows would wait for one another.
                rows = sorted((_row(each, now) for each in alerts), key=_key)
                connection.execute(_upsert(connection, now), rows)
            _forget(connection, now)

    def firing(self, service: str) -> tuple[Alert, ...]:
        """Those of one service that fire now, oldest first. Raises `InboxUnavailable`."""
        wanted = (
            select(table)
            .where(
                table.c.service == service,
                table.c.resolved_at.is_(None),
                table.c.heard_at > micros(datetime.now(UTC) - SILENT),
            )
            .order_by(table.c.starts_at, table.c.id)
        )
        with self._database.transaction() as connection:
            return tuple(_alert(row) for row in connection.execute(wanted))

    def launched(self, alert: Alert, run_id: str) -> None:
        """A run was launched for it. The first one stands. Raises `InboxUnavailable`."""
        with self._database.transaction() as connection:
            connection.execute(
                update(table)
                .where(
                    table.c.service == alert.labels["service"],
                    table.c.fingerprint == alert.fingerprint,
                    table.c.starts_at == micros(alert.starts_at),
                    table.c.launched.is_(None),
                )
                .values(launched=run_id)
            )


class InboxFeed:
    """What the inbox has of one service."""

    name = "webhook"

    def __init__(self, inbox: Inbox, service: str) -> None:
        self._inbox = inbox
        self._service = service

    def read(self) -> tuple[Alert, ...]:
        return self._inbox.firing(self._service)


def _upsert(connection: Connection, now: datetime) -> Any:
    statement = _INSERT[connection.dialect.name](table)
    new = statement.excluded
    overtaken = table.c.resolved_at > micros(now - OVERTAKEN)
    over = or_(new.resolved_at.is_not(None), overtaken)
    fires_again = table.c.resolved_at.is_not(None) & ~over
    return statement.on_conflict_do_update(
        index_elements=[table.c.service, table.c.fingerprint, table.c.starts_at],
        set_={
            "labels": new.labels,
            "annotations": new.annotations,
            "heard_at": new.heard_at,
            "seen_at": case((fires_again, new.seen_at), else_=table.c.seen_at),
            "resolved_at": case(
                (over, func.coalesce(table.c.resolved_at, new.resolved_at)), else_=null()
            ),
        },
    )


def _remember(connection: Connection, signature: str, now: datetime) -> None:
    try:
        connection.execute(insert(requests), {"signature": signature, "at": micros(now)})
    except IntegrityError:
        raise AlreadyAccepted(
            "This very request, with this signature, was accepted before.",
            state="What it said is known.",
            advice="Sign a new request, with a new timestamp, if there is anything new to say.",
        ) from None


def _forget(connection: Connection, now: datetime) -> None:
    old = table.c.heard_at < micros(now - KEPT)
    over = table.c.resolved_at < micros(now - KEPT_RESOLVED)
    connection.execute(delete(table).where(or_(old, over)))
    connection.execute(delete(requests).where(requests.c.at < micros(now - REMEMBERED)))
    count = connection.execute(select(func.count()).select_from(table)).scalar_one()
    if count > MOST_ALERTS:
        least_wanted = (table.c.resolved_at.is_(None), table.c.heard_at, table.c.id)
        surplus = select(table.c.id).order_by(*least_wanted).limit(count - MOST_ALERTS)
        connection.execute(delete(table).where(table.c.id.in_(surplus)))


def _row(alert: Alert, now: datetime) -> dict[str, Any]:
    return {
        "service": alert.labels["service"],
        "fingerprint": alert.fingerprint,
        "starts_at": micros(alert.starts_at),
        "labels": json.dumps(dict(alert.labels)),
        "annotations": json.dumps(dict(alert.annotations)),
        "seen_at": micros(alert.seen_at),
        "heard_at": micros(now),
        "resolved_at": micros(now) if alert.resolved else None,
    }


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["service"], row["fingerprint"], row["starts_at"]


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        feed=InboxFeed.name,
        fingerprint=row.fingerprint,
        labels=json.loads(row.labels),
        annotations=json.loads(row.annotations),
        starts_at=time_of(row.starts_at),
        seen_at=time_of(row.seen_at),
        launched=row.launched,
    )
