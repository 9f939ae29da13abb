"""The data directory of a PostgreSQL server: making one, and what a killed server leaves in it."""

import secrets
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.postgres_account import Account
from gp_pipelines.targets.local.processes import ProcessId

SUPERUSER = "postgres"
END_SECONDS = 5.0
# As UTF-8, and compared byte by byte wherever the system has that: such an order never changes
# with the system's own rules, which would spoil indexes.
LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"


def make_cluster(
    data: Path, bin: Path, account: Account, password: str, *, durable: bool = True
) -> None:
    """A new data directory whose superuser has `password`.

    It is made beside `data` and then gets its name: whoever finds `data` finds it whole, and
    what a killed call left is removed. (Its initdb may still be at work there, so that name is not
    used again.) Raises `TargetUnavailable`.
    """
    for left in data.parent.glob(f"{data.name}.*.new"):
        shutil.rmtree(left, ignore_errors=True)
    beside = data.with_name(f"{data.name}.{secrets.token_hex(4)}.new")
    beside.mkdir()
    account.own(beside, 0o700)
    password_file = data.with_name(f"{data.name}.password")
    password_file.touch(0o600)
    account.own(password_file, 0o600)
    password_file.write_text(password)
    try:
        made = subprocess.run(
            [
                *(bin / "initdb", "--pgdata", beside, "--username", SUPERUSER),
                *("--pwfile", password_file, "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--locale", LOCALE),
                *(() if durable else ("--no-sync",)),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            **account.as_user(),
        )
        failure = made.stderr.strip() if made.returncode else ""
    except OSError as error:
        failure = str(error)
    finally:
        password_file.unlink()
    if failure:
        raise TargetUnavailable(
            f"A PostgreSQL server could not be set up in {data}: {failure}",
            state="Nothing that was there before was changed.",
            advice="See that the disk has room, and who may write there; then try again.",
        )
    beside.rename(data)


def major_version(data: Path) -> str:
    """Of the PostgreSQL that made `data`."""
    return (data / "PG_VERSION").read_text().strip()


def postmaster(data: Path) -> ProcessId | None:
    """The living server of `data`, if it has one."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        process = ProcessId.of(pid)
        # After a restart of the machine, that number may be any process's.
        if process is None or Path(psutil.Process(pid).cwd()) != data.resolve():
            return None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None
    return process


def remove_stale_lock(data: Path) -> None:
    """Remove the postmaster.pid of a server that was killed.

    PostgreSQL does so by itself, unless the number in it is that of another living process of the
    same user: then it would never start.
    """
    if postmaster(data) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)


def end_abandoned(data: Path) -> None:
    """End the server of `data` at once, whoever started it: its data are not needed any more."""
    process = postmaster(data)
    if process is not None:
        process.end(END_SECONDS, signal.SIGQUIT)
    with suppress(FileNotFoundError):
        (data / "postmaster.pid").unlink()
