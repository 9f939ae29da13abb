"""Where PostgreSQL's files lie, and whose they are.

    home.postgres/            the caller's
      superuser               its password (0600)
      databases/<service>     the password of its role (0600)
      logs/
      data/                   the server's account's (0700), as are
      run/                    its socket, and
      scratch/<name>/         servers that live for one check

They lie in the home, unless the caller is root and the server's account, which is another one,
can't enter it (/root is closed to others, say). No directory of anybody is opened for that: the
files are under /var/lib then, with the programs if those can't be reached either, and
home.postgres is a link to them.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from gp_pipelines.errors import ConfigInvalid, TargetUnavailable
from gp_pipelines.targets.local.file_errors import writable
from gp_pipelines.targets.local.files import write_if_changed
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.postgres_account import Account
from gp_pipelines.targets.local.postgres_programs import bin_directory, copy_programs
from gp_pipelines.targets.local.unix_sockets import socket_path

ELSEWHERE = Path("/var/lib/gp-pipelines")
SOCKET = ".s.PGSQL.5432"
LOCK_SECONDS = 60.0
LONGEST = 55  # bytes of the directory's path; the longest name of a socket in it adds 45


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """The directories of a home's server. They are there, and the server's account has its own."""

    root: Path
    account: Account
    bin: Path  # programs that the account can run

    @classmethod
    def prepare(cls, home: Home) -> "PostgresPlace":
        """Make what is missing.

        Raises `TargetUnavailable` for data of another user or a directory that can't be made, and
        `ConfigInvalid` for a home where no socket can be.
        """
        if set(',"') & set(str(home.root.resolve())):
            raise ConfigInvalid(
                f"PostgreSQL can't have its socket in {home.root}: a path with a comma or a "
                "quotation mark means something else to its clients.",
                state="Nothing was changed.",
                advice="Choose another directory, or set GP_HOME to one.",
            )
        with writable(home.postgres):
            home.root.mkdir(parents=True, exist_ok=True)
            with FileLock(home.root / "postgres.lock", timeout=LOCK_SECONDS):
                return cls._prepare(home)

    @classmethod
    def _prepare(cls, home: Home) -> "PostgresPlace":
        account = _account(home)
        root = _root(home, account)
        place = cls(root, account, _bin(home, account))
        (root / "databases").mkdir(mode=0o700, exist_ok=True)
        (root / "logs").mkdir(mode=0o700, exist_ok=True)
        (root / "scratch").mkdir(mode=0o755, exist_ok=True)
        (root / "run").mkdir(mode=0o700, exist_ok=True)
        account.own(root / "run", 0o700)
        return place

    @property
    def data(self) -> Path:
        return self.root / "data"


def socket_directory(home: Home) -> Path:
    """Where the server's socket is: in the home if its path is not too long for that."""
    return socket_path(home.postgres.resolve() / "run", SOCKET).parent


def remove_place(home: Home) -> None:
    """Everything of the home's server, which has been stopped, and of a copy of its programs."""
    link = home.postgres
    if link.is_symlink():
        elsewhere = link.resolve().parent
        if elsewhere == _elsewhere(home):  # a copied home's link leads to another one's data
            shutil.rmtree(elsewhere, ignore_errors=True)
        link.unlink()
    elif link.exists():
        shutil.rmtree(link)
    shutil.rmtree(_elsewhere(home), ignore_errors=True)


def _account(home: Home) -> Account:
    """Of existing data its owner; else the one that is for servers."""
    try:
        owner = (home.postgres / "data").stat().st_uid
    except FileNotFoundError:
        return Account.for_a_server()
    if os.geteuid() not in (0, owner):
        raise TargetUnavailable(
            f"The data in {home.postgres / 'data'} belong to another user (id {owner}).",
            state="Nothing was changed.",
            advice="Start this home as the user who started it first.",
        )
    return Account.of(owner) if owner else Account.for_a_server()


def _root(home: Home, account: Account) -> Path:
    if home.postgres.exists():
        return home.postgres.resolve()
    if account.user is None:
        home.postgres.mkdir(mode=0o700)
        return home.postgres.resolve()
    here = home.postgres.parent.resolve() / home.postgres.name
    if len(os.fsencode(here)) <= LONGEST and account.can("test", "-x", here.parent):
        here.mkdir(mode=0o711)
        return here
    elsewhere = _made_elsewhere(home) / "postgres"
    elsewhere.mkdir(mode=0o711, exist_ok=True)
    home.postgres.unlink(missing_ok=True)  # a link that leads nowhere any more
    home.postgres.symlink_to(elsewhere)
    return elsewhere


def _bin(home: Home, account: Account) -> Path:
    found = bin_directory()
    return found if account.can(found / "postgres", "-V") else copy_programs(_made_elsewhere(home))


def _elsewhere(home: Home) -> Path:
    return ELSEWHERE / hashlib.sha256(os.fsencode(home.root.resolve())).hexdigest()[:16]


def _made_elsewhere(home: Home) -> Path:
    directory = _elsewhere(home)
    directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    write_if_changed(directory / "home", f"{home.root.resolve()}\n")  # for people: whose it is
    return directory
