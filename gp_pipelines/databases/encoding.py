"""How a database stores text and compares it: constraints and indexes may depend on that."""

from dataclasses import dataclass

from psycopg import errors, sql

from gp_pipelines.databases.connection import Session


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the database stores text, and by which rules it compares it."""

    encoding: str
    collate: str
    ctype: str


def read_encoding(session: Session) -> Encoding:
    row = session.execute(
        "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database "
        "WHERE datname = current_database()"
    ).fetchone()
    assert row is not None
    return Encoding(*map(str, row))


def create_database(session: Session, name: str, encoding: Encoding) -> None:
    """With the rules of the original.

    Where this machine lacks its locale, PostgreSQL's own for UTF-8 comes nearest.
    """
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} ").format(
        sql.Identifier(name), sql.Literal(encoding.encoding)
    )
    same = sql.SQL("LOCALE_PROVIDER libc LC_COLLATE {} LC_CTYPE {}").format(
        sql.Literal(encoding.collate), sql.Literal(encoding.ctype)
    )
    if encoding.encoding == "UTF8" and session.info.server_version >= 170000:
        nearest = sql.SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'")
    else:
        nearest = sql.SQL("LOCALE 'C'")
    try:
        session.execute(create + same)
    except (
        errors.WrongObjectType,
        errors.InvalidParameterValue,
        errors.ObjectNotInPrerequisiteState,
    ):
        session.execute(create + nearest)
