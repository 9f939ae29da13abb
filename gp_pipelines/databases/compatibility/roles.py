"""The roles of the live server, made again on the shadow: without passwords, with all they may."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from psycopg import errors, sql

from gp_pipelines.databases.connection import Session

ATTRIBUTES = ("SUPERUSER", "INHERIT", "CREATEROLE", "CREATEDB", "BYPASSRLS")
_ROLES = """
    SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolbypassrls
    FROM pg_roles WHERE NOT starts_with(rolname, 'pg_') ORDER BY 1
"""
_MEMBERS = """
    SELECT r.rolname, m.rolname, bool_or(a.admin_option), {inherit}, {set}
    FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
    WHERE NOT starts_with(m.rolname, 'pg_') GROUP BY 1, 2
"""
_SETTINGS = """
    SELECT coalesce(r.rolname, ''), unnest(s.setconfig)
    FROM pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE d.datname IS NULL OR d.datname = current_database()
    ORDER BY s.setdatabase <> 0  -- what is set for this database comes last, and holds
"""
_DATABASE_GRANTS = """
    SELECT coalesce(r.rolname, ''), a.privilege_type
    FROM pg_database d, aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE d.datname = current_database()
"""
_OWNER = """
    SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
    WHERE d.datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Membership:
    role: str
    member: str
    admin: bool
    inherit: bool | None  # None where the server has no such option (before 16)
    set: bool | None


@dataclass(frozen=True, slots=True)
class Setting:
    """What a session begins with."""

    role: str  # empty: every role
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Roles:
    """All of it is readable without being superuser."""

    attributes: Mapping[str, tuple[bool, ...]]  # by role, in the order of ATTRIBUTES
    members: tuple[Membership, ...]
    settings: tuple[Setting, ...]
    owner: str  # of the database
    database_grants: tuple[tuple[str, str], ...]  # role (empty: public) and privilege


def read(session: Session) -> Roles:
    options = session.info.server_version >= 160000
    members = sql.SQL(_MEMBERS).format(
        inherit=sql.SQL("bool_or(a.inherit_option)" if options else "NULL"),
        set=sql.SQL("bool_or(a.set_option)" if options else "NULL"),
    )
    (owner,) = session.execute(_OWNER).fetchone() or ("",)
    return Roles(
        attributes={str(name): tuple(map(bool, flags)) for name, *flags in session.execute(_ROLES)},
        members=tuple(
            Membership(str(role), str(member), bool(admin), _flag(inherit), _flag(may_set))
            for role, member, admin, inherit, may_set in session.execute(members)
        ),
        settings=tuple(
            Setting(str(role), *_name_and_value(str(setting)))
            for role, setting in session.execute(_SETTINGS)
        ),
        owner=str(owner),
        database_grants=tuple(
            (str(role), str(privilege)) for role, privilege in session.execute(_DATABASE_GRANTS)
        ),
    )


def create(session: Session, roles: Roles) -> None:
    """On a server that is all ours; its own superuser stays as it is.

    What this server does not know (a predefined role of another version) is left out.
    """
    ours = session.info.user
    for name, flags in roles.attributes.items():
        if name == ours:
            continue
        with suppress(errors.DuplicateObject):
            session.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
        words = sql.SQL(" ").join(
            sql.SQL(word if flag else f"NO{word}")
            for word, flag in zip(ATTRIBUTES, flags, strict=True)
        )
        session.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(name), words))
    for membership in roles.members:
        with suppress(errors.UndefinedObject):
            session.execute(_grant(membership, session.info.server_version >= 160000))


def apply_to_database(session: Session, database: str, roles: Roles) -> None:
    """Owner, grants and settings of the database, which a dump of the schema does not have."""
    name = sql.Identifier(database)
    session.execute(
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(roles.owner))
    )
    if roles.database_grants:
        session.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    for role, privilege in roles.database_grants:
        to = sql.Identifier(role) if role else sql.SQL("PUBLIC")
        session.execute(
            sql.SQL("GRANT {} ON DATABASE {} TO {}").format(sql.SQL(privilege), name, to)
        )
    for setting in roles.settings:
        # A setting of a module that is not here means nothing here either.
        with suppress(errors.UndefinedObject, errors.InvalidParameterValue, errors.UndefinedFile):
            session.execute(_alter(setting, database))


def _alter(setting: Setting, database: str) -> sql.Composed:
    # For every database of the role too: the shadow is the only one.
    where = sql.SQL("DATABASE {}").format(sql.Identifier(database))
    if setting.role:
        where = sql.SQL("ROLE {} IN ").format(sql.Identifier(setting.role)) + where
    # A list such as search_path is stored as it is written: quoting it would make it one name.
    value = (
        sql.SQL(setting.value)
        if setting.name in ("search_path", "temp_tablespaces") and setting.value
        else sql.Literal(setting.value)
    )
    return sql.SQL("ALTER {} SET {} = {}").format(where, sql.Identifier(setting.name), value)


def _grant(membership: Membership, options: bool) -> sql.Composed:
    grant = sql.SQL("GRANT {} TO {}").format(
        sql.Identifier(membership.role), sql.Identifier(membership.member)
    )
    if not options:
        return grant + sql.SQL(" WITH ADMIN OPTION" if membership.admin else "")
    chosen = {"ADMIN": membership.admin, "INHERIT": membership.inherit, "SET": membership.set}
    return (
        grant
        + sql.SQL(" WITH ")
        + sql.SQL(", ").join(
            sql.SQL(f"{name} {'TRUE' if value else 'FALSE'}")
            for name, value in chosen.items()
            if value is not None
        )
    )


def _flag(value: object) -> bool | None:
    return None if value is None else bool(value)


def _name_and_value(setting: str) -> tuple[str, str]:
    name, _, value = setting.partition("=")
    return name, value
