"""A database, reached by a URL that is a secret: connecting, naming it, and telling tools of it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import LiteralString
from urllib.parse import quote

import psycopg
from psycopg import conninfo

from gp_pipelines.errors import ConfigInvalid, StepFailed, TargetUnavailable, redact

Session = psycopg.Connection[tuple[object, ...]]

CONNECT_SECONDS = 5
# A server that vanishes without a word is noticed within half a minute.
KEEPALIVE_SECONDS = 5
KEEPALIVE_PROBES = 4
LOCK_SECONDS = 10  # a session of ours never waits longer behind somebody else's lock
# What a foreign command gets of our own environment: nothing that could be another one's secret.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


class Connector:
    """Opens sessions on one database; every error that leaves here is one of ours, redacted."""

    def __init__(self, url: Callable[[], str], advice: str) -> None:
        """`advice` is what a person does when the database does not answer."""
        self._url = url
        self._advice = advice

    def url(self) -> str:
        return self._url()

    def to(self, database: str) -> "Connector":
        """The same server and role, another database."""
        return Connector(lambda: conninfo.make_conninfo(self._url(), dbname=database), self._advice)

    def describe(self) -> str:
        """`host:port/database`, without the role and its password.

        Raises `ConfigInvalid` for a URL that has parts of a password where these should be.
        """
        parameters = self._parameters()
        host = parameters.get("host") or parameters.get("hostaddr") or "localhost"
        return f"{host}:{parameters.get('port') or 5432}/{parameters.get('dbname') or ''}"

    def secrets(self) -> tuple[str, ...]:
        """What must not be shown: the URL, and the password as it is and as URLs write it."""
        password = self._parameters().get("password")
        return (self._url(), *((password, quote(password, safe="")) if password else ()))

    @contextmanager
    def session(
        self, application: str = "gp-pipelines", *, patience: int | None = None
    ) -> Iterator[Session]:
        """A session in autocommit mode. With `patience`, in seconds, no statement takes longer.

        Raises `TargetUnavailable` if the server cannot be reached or goes away, `ConfigInvalid`
        for a URL that is none, and `StepFailed` for anything else that PostgreSQL refuses.
        """
        where = self.describe()
        connection: Session | None = None
        try:
            connection = psycopg.connect(
                self._url(),
                autocommit=True,
                connect_timeout=patience or CONNECT_SECONDS,
                application_name=application,
                keepalives_idle=KEEPALIVE_SECONDS,
                keepalives_interval=KEEPALIVE_SECONDS,
                keepalives_count=KEEPALIVE_PROBES,
            )
            with connection:
                _unhurried(connection)
                if patience:
                    connection.execute(_PATIENCE, [f"{patience}s"])
                yield connection
        except psycopg.Error as error:
            reason = redact(str(error).strip(), self.secrets())
            if connection is None or connection.broken:
                raise TargetUnavailable(
                    f"PostgreSQL at {where} does not answer: {reason}",
                    state="Traffic is where it was.",
                    advice=self._advice,
                ) from None
            raise StepFailed(
                f"PostgreSQL at {where}: {reason}", state="Traffic is where it was."
            ) from None

    def environment(self, session: Session, application: str) -> dict[str, str]:
        """The variables with which libpq's own tools reach what `session` is connected to.

        Taken from the open session, so that what it has from a password file or from PG* variables
        counts for the tools as well. An argument list is for everybody to read; this is not.
        """
        settings = {
            option.envvar.decode(): option.val.decode()
            for option in session.pgconn.info
            if option.envvar and option.val and option.val != option.compiled
        }
        return {**inherited_environment(), **settings, "PGAPPNAME": application}

    def _parameters(self) -> dict[str, str]:
        try:
            found = conninfo.conninfo_to_dict(self._url())
        except psycopg.Error:  # its message may quote the password
            found = {"host": "@"}
        parameters = {key: str(value) for key, value in found.items() if value is not None}
        # A password with '@', '/' or ':' that is not percent-encoded ends up in other parts.
        elsewhere = parameters.get("host", "") + parameters.get("dbname", "")
        ports = parameters.get("port", "0").replace(",", "")
        if "@" in elsewhere or (ports and not ports.isdigit()):
            raise ConfigInvalid(
                "The database URL is not one that PostgreSQL understands.",
                state="Nothing was changed.",
                advice="It is postgresql://role:password@host:port/database; special characters "
                "in the password are percent-encoded.",
            )
        return parameters


def inherited_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


_SETTINGS: LiteralString = """
    SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout',
                   'idle_session_timeout', 'transaction_timeout')
"""


_PATIENCE: LiteralString = "SELECT set_config('statement_timeout', %s, false)"


def _unhurried(session: Session) -> None:
    """Defaults of the role that are meant for the service must not end a dump's snapshot."""
    session.execute(_SETTINGS)
    session.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS}s"])
