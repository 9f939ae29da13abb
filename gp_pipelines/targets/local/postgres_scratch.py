"""A PostgreSQL server for one check: on the disk of the embedded one, and gone when it is done.

Its directory is named by the process that it is for, so whoever comes next can tell that it was
left by one that was killed, and remove it with its server.
"""

import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import conninfo

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.owners import has_living_owner, name_for
from gp_pipelines.targets.local.ports import free_port
from gp_pipelines.targets.local.postgres_cluster import SUPERUSER, end_abandoned, make_cluster
from gp_pipelines.targets.local.postgres_place import PostgresPlace
from gp_pipelines.targets.local.processes import ProcessId
from gp_pipelines.targets.local.unix_sockets import remove_short_directory, socket_path

START_SECONDS = 30.0
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.02
PORT = 5432  # of a socket only

SETTINGS = (
    "unix_socket_permissions=0700",
    "max_connections=40",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=4GB",
    "maintenance_work_mem=128MB",
    "autovacuum=off",
)


@contextmanager
def scratch(
    home: Home, settings: tuple[str, ...] = (), *, for_programs: bool = False
) -> Iterator[str]:
    """Its URL as superuser; `settings` (name=value) are what its user needs besides ours.

    `for_programs`: it listens on a port of 127.0.0.1 as well, as not every driver knows sockets.

    Raises `TargetUnavailable` if it cannot be started.
    """
    remove_abandoned(home)
    place = PostgresPlace.prepare(home)
    directory = place.root / "scratch" / name_for(ProcessId.own())
    directory.mkdir()
    place.account.own(directory, 0o700)
    try:
        password = secrets.token_urlsafe(24)
        make_cluster(directory / "data", place.bin, place.account, password, durable=False)
        port = free_port() if for_programs else PORT
        listens = f"listen_addresses={'127.0.0.1' if for_programs else ''}"
        socket = socket_path(directory, f".s.PGSQL.{port}").parent
        own = (*SETTINGS, listens, f"port={port}")
        with _server(place, directory, socket, (*own, *settings)) as process:
            url = conninfo.make_conninfo(
                host=str(socket), port=port, user=SUPERUSER, dbname=SUPERUSER, password=password
            )
            _wait_for(url, process, directory / "log")
            yield url
    finally:
        _remove(directory)


def remove_abandoned(home: Home) -> None:
    """The scratch servers of processes that were killed."""
    for directory in (home.postgres / "scratch").glob("*"):
        if not has_living_owner(directory.name):
            _remove(directory)


@contextmanager
def _server(
    place: PostgresPlace, directory: Path, socket: Path, settings: tuple[str, ...]
) -> Iterator["subprocess.Popen[bytes]"]:
    options = [part for setting in settings for part in ("-c", setting)]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [place.bin / "postgres", "-D", directory / "data", "-k", f'"{socket}"', *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            # Not in the group of its starter: Ctrl-C there must not end it in the middle.
            start_new_session=True,
            **place.account.as_user(),
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nothing of it is needed any more
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise TargetUnavailable(
                    f"A scratch PostgreSQL server did not start: {_last_line(log)}",
                    state="Nothing was changed.",
                    advice="See that the disk has room, and that memory is left.",
                ) from None
            time.sleep(LOOK_SECONDS)
        else:
            return


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"


def _remove(directory: Path) -> None:
    end_abandoned(directory / "data")
    remove_short_directory(directory)
    shutil.rmtree(directory, ignore_errors=True)
