"""PostgreSQL's own pg_dump and pg_restore. They get the connection by their environment only."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gp_pipelines.commands import Command, CommandTimedOut
from gp_pipelines.databases.connection import Session, inherited_environment
from gp_pipelines.errors import StepFailed
from gp_pipelines.model import Progress

SMALL_BYTES = 64 * 2**20  # below this, more connections cost more than they save
MOST_JOBS = 4  # the server is in production meanwhile
COMPRESSION = 1  # of gzip. Measured at 1 GB: 15 % more than its usual 6, in 40 % of the time
LOCK_WAIT = "60s"  # how long a dump waits behind somebody's exclusive lock
_SCRIPT_ERROR = re.compile(r"\bERROR:  (.*)")


def jobs_for(size: int) -> int:
    """How many connections dump or restore `size` bytes at once."""
    return 1 if size < SMALL_BYTES else min(MOST_JOBS, os.cpu_count() or 1)


class PgTools:
    """The tools of one installation. `find` gives the path of a tool by its name."""

    def __init__(self, find: Callable[[str], Path]) -> None:
        self._find = find

    def major(self) -> int:
        """The major version of pg_dump: it dumps servers up to that. Raises `StepFailed`."""
        argv = [str(self._find("pg_dump")), "--version"]
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, timeout=30, env=inherited_environment()
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StepFailed(f"pg_dump cannot be run: {error}") from None
        found = re.search(r"\) (\d+)", done.stdout)
        if found is None:
            raise StepFailed(f"{argv[0]} does not say which version it is: {done.stdout!r}.")
        return int(found[1])

    def suited(self, session: Session) -> "PgTools":
        """For the server of `session`: these, or the user's own (of PATH) where it is of a newer
        major version, or asks for TLS, which not every build of the tools knows.

        Raises `StepFailed` where neither will do.
        """
        server, ours = session.info.server_version // 10000, self.major()
        encrypted = _is_encrypted(session)
        if server <= ours and not encrypted:
            return self
        own = PgTools(lambda name: Path(shutil.which(name) or name))
        theirs = own.major() if shutil.which("pg_dump") else 0
        if theirs >= server:
            return own
        why = "asks for TLS, which our pg_dump lacks" if encrypted else f"is newer than our {ours}"
        there = f"the one on PATH is of version {theirs}" if theirs else "there is none on PATH"
        raise StepFailed(
            f"PostgreSQL {server} {why}, and cannot be dumped by it; {there}.",
            advice=f"Install PostgreSQL's own client programs (pg_dump, pg_restore, psql) of "
            f"version {server} or newer where `gp up` finds them on PATH, then run that again.",
        )

    def dump(
        self,
        into: Path,
        *,
        snapshot: str,
        jobs: int,
        environment: Mapping[str, str],
        secrets: tuple[str, ...],
        deadline: float,
        progress: Progress,
    ) -> None:
        """Dump what `snapshot` sees into the new directory `into`. Raises `StepFailed`."""
        argv = [
            *(str(self._find("pg_dump")), "--no-password", "--format=directory"),
            *(f"--file={into}", f"--jobs={jobs}", f"--snapshot={snapshot}"),
            f"--lock-wait-timeout={LOCK_WAIT}",
            f"--compress={COMPRESSION}",
        ]
        _run("pg_dump", argv, environment, secrets, deadline, progress, lambda: written(into))

    def dump_schema(
        self,
        into: Path,
        *,
        environment: Mapping[str, str],
        secrets: tuple[str, ...],
        deadline: float,
        progress: Progress,
    ) -> None:
        """Write the schema as a script, with owners and grants. Raises `StepFailed`."""
        argv = [
            *(str(self._find("pg_dump")), "--no-password", "--schema-only", f"--file={into}"),
            *("--no-publications", "--no-subscriptions", "--no-tablespaces"),
            *("--no-security-labels", f"--lock-wait-timeout={LOCK_WAIT}"),
        ]
        _run("pg_dump", argv, environment, secrets, deadline, progress, lambda: written(into))

    def load_script(
        self,
        script: Path,
        *,
        environment: Mapping[str, str],
        secrets: tuple[str, ...],
        deadline: float,
        progress: Progress,
    ) -> tuple[str, ...]:
        """Run a script, and go on where a statement fails: what failed is returned, redacted.

        Raises `StepFailed` if it cannot be run at all, or does not end in time.
        """
        said: list[str] = []
        argv = [
            *(str(self._find("psql")), "--no-password", "--no-psqlrc", "--quiet"),
            "--set=VERBOSITY=terse",  # one line for each error
            *("--output", os.devnull, "--file", str(script)),
        ]
        _run(
            *("psql", argv, environment, secrets, deadline),
            lambda lines: said.extend(lines.splitlines()),
            lambda: f"{len(said)} lines said",
        )
        return tuple(found[1] for line in said if (found := _SCRIPT_ERROR.search(line)))

    def restore(
        self,
        dump: Path,
        *,
        database: str,
        jobs: int,
        environment: Mapping[str, str],
        secrets: tuple[str, ...],
        deadline: float,
        progress: Progress,
        done: Callable[[], str],
    ) -> None:
        """Restore `dump` into the empty `database`; the first error ends it.

        `done` says how far it is. Subscriptions are left out: a copy must not draw data from a
        publisher. So are tablespaces, which are directories of the original's machine.

        Raises `StepFailed`.
        """
        argv = [
            *(str(self._find("pg_restore")), "--no-password", "--exit-on-error"),
            *(f"--jobs={jobs}", f"--dbname={database}"),
            *("--no-subscriptions", "--no-tablespaces", str(dump)),
        ]
        _run("pg_restore", argv, environment, secrets, deadline, progress, done)


def _is_encrypted(session: Session) -> bool:
    return bool(session.pgconn.ssl_in_use)


def written(directory: Path) -> str:
    """How much is in `directory`, for people."""
    return f"{in_bytes(directory_size(directory))} written"


def directory_size(directory: Path) -> int:
    """Bytes of the files under `directory`, which may be changing meanwhile."""
    total = 0
    for file in directory.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def in_bytes(size: int) -> str:
    """`size` for people."""
    return f"{size / 1e3:,.0f} kB" if size < 1e6 else f"{size / 1e6:,.1f} MB"


def _run(
    name: str,
    argv: Sequence[str],
    environment: Mapping[str, str],
    secrets: tuple[str, ...],
    deadline: float,
    progress: Progress,
    done: Callable[[], str],
) -> None:
    timeout = max(0.0, deadline - time.monotonic())
    try:
        command = Command(argv, environment=environment, secrets=secrets)
    except OSError as error:
        raise StepFailed(f"{name} cannot be run: {error}") from None
    with command:
        try:
            code = command.wait(
                timeout,
                lambda lines: progress(f"{name}: {lines}"),
                lambda seconds: progress(f"{name}: {seconds:.0f} s, {done()}"),
            )
        except CommandTimedOut:
            raise StepFailed(
                f"{name} did not end in the time that it may take; it was ended after "
                f"{timeout:.0f} s ({done()})."
            ) from None
    if code != 0:
        raise StepFailed(f"{name} failed (exit code {code}):\n{command.tail}".rstrip())
