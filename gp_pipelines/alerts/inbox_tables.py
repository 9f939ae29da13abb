"""The inbox's tables, for SQLite and PostgreSQL alike. Times are microseconds since 1970 (UTC)."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.schema import CreateIndex, CreateTable

CREATING = 7_265_194  # any number that nobody else locks

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_metadata = MetaData()

alerts = Table(
    "alerts",
    _metadata,
    # PostgreSQL uses up a number for each message, also for one about an alert that is known.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("service", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("labels", Text, nullable=False),  # JSON in ASCII: PostgreSQL's text may hold no NUL
    Column("annotations", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("heard_at", BigInteger, nullable=False),  # the last message about it
    Column("resolved_at", BigInteger),  # when that message came
    Column("launched", Text),
    UniqueConstraint("service", "fingerprint", "starts_at"),
)
Index("alerts_by_age", alerts.c.heard_at)

requests = Table(
    "requests",  # signed ones that were accepted
    _metadata,
    Column("signature", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)


def create_tables(connection: Connection) -> None:
    """Those that are not there yet."""
    if connection.dialect.name == "postgresql":
        # Of two that create the same one at once, PostgreSQL fails one, "if not exists" or not.
        connection.execute(select(func.pg_advisory_xact_lock(CREATING)))
    for table in _metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


def micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def time_of(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
