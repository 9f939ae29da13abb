"""What the version that is live asks its database: from its build, a list, or the server."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import LiteralString

from psycopg import errors

from gp_pipelines.databases.compatibility.statements import bare, split
from gp_pipelines.databases.connection import Session
from gp_pipelines.errors import ConfigInvalid

# What a program says about its session and its transactions is no question to the schema.
_OF_THE_SESSION = {
    *("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "SET"),
    *("RESET", "SHOW", "DISCARD", "LISTEN", "UNLISTEN", "NOTIFY", "DEALLOCATE", "PREPARE"),
    *("EXECUTE", "DECLARE", "FETCH", "CLOSE", "MOVE", "CHECKPOINT", "VACUUM", "ANALYZE"),
}
_SQLX = re.compile(r"query-.*\.json")
_SEEN: LiteralString = """
    SELECT DISTINCT s.query FROM {schema}.pg_stat_statements s
    JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid
    WHERE d.datname = current_database() AND r.rolname = %s AND s.toplevel
"""


@dataclass(frozen=True, slots=True)
class OldQueries:
    """Statements with `$1` for their parameters."""

    statements: tuple[str, ...]
    complete: bool  # there are no others; else whatever the schema offers may be used as well

    @classmethod
    def of(cls, statements: tuple[str, ...], *, complete: bool) -> "OldQueries":
        """Those of them that ask something, each once."""
        asked = (each for each in statements if _first_word(each) not in _OF_THE_SESSION)
        return cls(tuple(dict.fromkeys(asked)), complete)


UNKNOWN = OldQueries((), complete=False)


def from_file(path: Path) -> OldQueries:
    """A list of statements, each ended by a semicolon; or sqlx's folder `.sqlx`.

    Raises `ConfigInvalid` for one that cannot be read, or has none.
    """
    try:
        if path.is_dir():
            files = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
        else:
            files = {path.name: path.read_bytes()}
    except OSError as error:
        raise ConfigInvalid(f"The queries in {path} cannot be read: {error}") from None
    return _from(str(path), files, is_folder=path.is_dir())


def from_artifact(path: str, read_directory: Callable[[str], Mapping[str, bytes]]) -> OldQueries:
    """As `from_file`, of an artifact, which `read_directory` reads."""
    place = PurePosixPath(path)
    if place.suffix != ".sql":
        return _from(path, read_directory(path), is_folder=True)
    beside = read_directory(str(place.parent))
    return _from(path, {name: beside[name] for name in beside if name == place.name})


def _from(where: str, files: Mapping[str, bytes], *, is_folder: bool = False) -> OldQueries:
    try:
        if is_folder:
            texts = [_of_sqlx(files[name]) for name in sorted(files) if _SQLX.fullmatch(name)]
        else:
            texts = [text for each in files.values() for text in split(each.decode("utf-8-sig"))]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigInvalid(f"The queries in {where} cannot be read: {error}") from None
    if not texts:
        raise ConfigInvalid(
            f"There is no query in {where}.",
            state="Nothing was checked.",
            advice="It is a file of statements, each ended by a semicolon, or sqlx's folder .sqlx.",
        )
    return OldQueries.of(tuple(texts), complete=True)


def seen_by_server(live: Session, role: str) -> OldQueries:
    """What pg_stat_statements has seen of `role`; nothing where it is not installed.

    It may have forgotten some, or not have seen them yet.
    """
    row = live.execute(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n "
        "ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'"
    ).fetchone()
    if row is None:
        return UNKNOWN
    try:
        rows = live.execute(_SEEN.replace("{schema}", str(row[0])).encode(), [role]).fetchall()
    except (errors.ObjectNotInPrerequisiteState, errors.InsufficientPrivilege):
        return UNKNOWN
    return OldQueries.of(tuple(str(query) for (query,) in rows), complete=False)


def _of_sqlx(content: bytes) -> str:
    return str(json.loads(content)["query"])


def _first_word(statement: str) -> str:
    words = bare(statement).split(None, 1)
    return words[0].upper() if words else ""
