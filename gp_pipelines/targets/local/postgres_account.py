"""As whom PostgreSQL runs: it refuses to run as root."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "gp_pipelines"
FALLBACK = "nobody"  # where accounts can't be made; others may run as it, too


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine. `user` is None if it is the caller itself."""

    uid: int
    gid: int
    user: str | None

    @classmethod
    def of(cls, uid: int) -> "Account":
        if uid == os.geteuid():
            return cls(uid, os.getegid(), None)
        entry = pwd.getpwuid(uid)
        return cls(uid, entry.pw_gid, entry.pw_name)

    @classmethod
    def for_a_server(cls) -> "Account":
        """The caller; for root an unprivileged one, which is made at its first use."""
        if os.geteuid() != 0:
            return cls.of(os.geteuid())
        return cls.of((_entry(NAME) or _made(NAME) or pwd.getpwnam(FALLBACK)).pw_uid)

    def as_user(self) -> dict[str, Any]:
        """For `subprocess`: to run a program as this account."""
        if self.user is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can(self, *command: str | Path) -> bool:
        """Whether `command` succeeds as this account."""
        return _succeeds(command, **self.as_user())

    def own(self, path: Path, mode: int) -> None:
        """Give `path` to this account."""
        path.chmod(mode)
        if self.user is not None:
            os.chown(path, self.uid, self.gid)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _made(name: str) -> pwd.struct_passwd | None:
    """None where there is no `useradd`. Another process may be making it at the same time."""
    shell = "/usr/sbin/nologin"
    _succeeds(["useradd", "--system", "--no-create-home", "--shell", shell, name])
    return _entry(name)


def _succeeds(command: Sequence[str | Path], **as_user: Any) -> bool:
    try:
        return subprocess.run(command, capture_output=True, cwd="/", **as_user).returncode == 0
    except OSError:
        return False
