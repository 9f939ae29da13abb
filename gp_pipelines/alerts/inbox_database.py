"""The database behind the inbox: opened at its first use, and again when its file was replaced."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gp_pipelines.alerts.contract import FeedUnreadable
from gp_pipelines.alerts.inbox_tables import create_tables
from gp_pipelines.errors import quoted

BUSY_SECONDS = 5.0  # for another process's commit


class InboxUnavailable(FeedUnreadable):
    """The inbox can be neither read nor written."""


class InboxDatabase:
    """`url` is SQLAlchemy's: of an SQLite file, or of a PostgreSQL."""

    def __init__(self, url: str | URL) -> None:
        self._url = make_url(url)
        self._lock = Lock()
        self._opened: tuple[int | None, Engine] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """What was written is on disk when this has been left. Raises `InboxUnavailable`."""
        try:
            with self._engine().begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            # Not SQLAlchemy's own text: it would repeat the statement, with the labels.
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise InboxUnavailable(
                f"The inbox of alerts ({self}) cannot be used: {quoted(str(reason))}.",
                state="Nothing was written, and whether an alert in it fires is unknown.",
                advice="See to the disk or the server. A broken file may be moved away: a new "
                "one is made at once, and what still fires is sent again.",
            ) from None

    def __str__(self) -> str:
        return self._url.render_as_string(hide_password=True)

    @property
    def _file(self) -> Path | None:
        is_file = self._url.get_backend_name() == "sqlite"
        return Path(str(self._url.database)) if is_file else None

    def _engine(self) -> Engine:
        with self._lock:
            if self._opened is None or self._opened[0] != _inode(self._file):
                # A file that was moved away would be written to as long as it is open.
                if self._opened is not None:
                    self._opened[1].dispose()
                self._opened = self._open()
            return self._opened[1]

    def _open(self) -> tuple[int | None, Engine]:
        file = self._file
        if file is None:
            engine = create_engine(self._url, pool_pre_ping=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))  # labels may hold secrets
            engine = create_engine(self._url, connect_args={"timeout": BUSY_SECONDS})
            event.listen(engine, "connect", _durable)
        with engine.begin() as connection:
            create_tables(connection)
        return _inode(file), engine


def _durable(connection: Any, _: object) -> None:
    """A commit returns when it is on disk; readers do not wait for it."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _inode(file: Path | None) -> int | None:
    try:
        return file.stat().st_ino if file else None
    except FileNotFoundError:
        return None
