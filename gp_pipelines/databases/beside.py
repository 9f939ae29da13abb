"""A database beside another one, that is like it in all that no dump of a single database holds."""

from typing import LiteralString

from psycopg import sql

from gp_pipelines.databases.connection import Session
from gp_pipelines.databases.read_only import SETTING

_SETTINGS: LiteralString = """
    SELECT r.rolname, split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
    FROM pg_db_role_setting s
    JOIN pg_database d ON d.oid = s.setdatabase
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    CROSS JOIN LATERAL unnest(s.setconfig) AS setting
    WHERE d.datname = %s
"""
_GRANTS: LiteralString = """
    SELECT coalesce(r.rolname, 'public'), a.privilege_type, a.is_grantable
    FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a
    LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE d.datname = %s AND a.grantee <> d.datdba
"""
_HAS_GRANTS: LiteralString = "SELECT datacl IS NOT NULL FROM pg_database WHERE datname = %s"


def own_and_open(session: Session, name: str, role: str, like: str) -> None:
    """Make the new database `name` that of `role`, with the settings and grants of `like`.

    But for being read-only. The grants come last: nobody gets in before it is as it should be.
    """
    new = sql.Identifier(name)
    owner = sql.Identifier(role)
    session.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(new, owner))
    session.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(new))
    for whose, setting, value in session.execute(_SETTINGS, [like]).fetchall():
        if setting == SETTING:
            continue
        where = sql.SQL("DATABASE {}").format(new)
        if whose is not None:
            where = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(str(whose)), new)
        session.execute(
            sql.SQL("ALTER {} SET {} = {}").format(
                where, sql.Identifier(str(setting)), _values(str(setting), str(value))
            )
        )
    if session.execute(_HAS_GRANTS, [like]).fetchone() == (False,):
        session.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(new))
    for grantee, privilege, grantable in session.execute(_GRANTS, [like]).fetchall():
        session.execute(
            sql.SQL("GRANT {} ON DATABASE {} TO {} {}").format(
                sql.SQL(_PRIVILEGES[str(privilege)]),
                new,
                sql.SQL("PUBLIC") if grantee == "public" else sql.Identifier(str(grantee)),
                sql.SQL("WITH GRANT OPTION" if grantable else ""),
            )
        )


_PRIVILEGES: dict[str, LiteralString] = {
    "CREATE": "CREATE",
    "CONNECT": "CONNECT",
    "TEMPORARY": "TEMPORARY",
}
# Their values are lists of names, each quoted where it must be already.
_LISTS = ("search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces")


def _values(setting: str, value: str) -> sql.Composable:
    if setting not in _LISTS:
        return sql.Literal(value)
    names = [name.strip() for name in value.split(",")]
    return sql.SQL(", ").join(
        sql.Identifier(name[1:-1].replace('""', '"')) if name.startswith('"') else sql.Literal(name)
        for name in names
    )
