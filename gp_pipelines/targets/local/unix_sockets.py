"""Unix sockets: where they lie (a path may have about 100 characters at most), and HTTP on them."""

import hashlib
import http.client
import os
import shutil
import socket
import stat
from pathlib import Path

from gp_pipelines.errors import TargetUnavailable

MOST_CHARACTERS = 100  # 104 on macOS, 108 on Linux, with the terminating zero


def socket_path(directory: Path, name: str) -> Path:
    """`directory`/`name`, or a short stand-in of it where that would be too long.

    The stand-in depends on nothing but `directory`, so every process finds the same one. It lies
    in a directory that only its owner may enter. Raises `TargetUnavailable` if that directory
    belongs to somebody else.
    """
    path = directory.resolve() / name
    if len(os.fsencode(path)) <= MOST_CHARACTERS:
        return path
    return _own(short_directory(directory)) / name


def short_directory(directory: Path) -> Path:
    """The stand-in of `directory`. Not by TMPDIR, which differs from one terminal to the next."""
    digest = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    return Path("/tmp") / f"gp-{os.getuid()}-{digest}"  # noqa: S108 (made and checked by _own)


def remove_short_directory(directory: Path) -> None:
    shutil.rmtree(short_directory(directory), ignore_errors=True)


def _own(directory: Path) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise TargetUnavailable(
            f"{directory} is not a directory of ours: it belongs to somebody else, or others may "
            "enter it.",
            state="Nothing was changed.",
            advice="Find out who made it, and remove it.",
        )
    return directory


class UnixConnection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        """`timeout` is in seconds, for each connecting, sending and receiving."""
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
