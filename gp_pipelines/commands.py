"""Run a foreign command in a process group of its own, and leave nothing of it behind."""

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from gp_pipelines.errors import redact

POLL_SECONDS = 0.05
OUTPUT_SECONDS = 0.5  # output is passed on in batches: each may become an event in a database
REPORT_SECONDS = 2.0  # a command that says nothing is reported as still running this often
GRACE_SECONDS = 5.0  # from SIGTERM to SIGKILL
TAIL_LINES = 40
BATCH_LINES = 20
LINE_BYTES = 65536
LINE_SHOWN = 2000


class CommandTimedOut(Exception):
    """The command did not end in its time. It is still running until `Command.end`."""


class Command:
    """A running command. Leaving the `with` block ends it, and all that it has started."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        """`environment` is all that it gets. Raises OSError if it cannot be started."""
        self._process = subprocess.Popen(
            argv,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._output = _Output(cast(IO[bytes], self._process.stdout), secrets)

    @property
    def pid(self) -> int:
        """Of the process, and the id of its group."""
        return self._process.pid

    @property
    def tail(self) -> str:
        """The last lines of what it printed, redacted."""
        return "\n".join(self._output.tail)

    def wait(
        self, timeout: float, output: Callable[[str], None], silent: Callable[[float], None]
    ) -> int:
        """Its exit code, once it has ended; negative: the signal that ended it.

        `output` gets what it prints, redacted, in batches of lines. `silent` gets the seconds
        since the start, whenever nothing was reported for a while.

        Raises `CommandTimedOut` after `timeout` seconds.
        """
        began = reported = time.monotonic()
        while True:
            code = self._poll()
            self._output.read(to_the_end=code is not None)
            now = time.monotonic()
            if self._output.lines and (code is not None or now - reported >= OUTPUT_SECONDS):
                output(self._output.batch())
                reported = now
            if code is not None:
                return code
            if now - began >= timeout:
                raise CommandTimedOut
            if now - reported >= REPORT_SECONDS:
                silent(now - began)
                reported = now

    def end(self) -> None:
        """SIGTERM to the group and, after a time of grace, SIGKILL: nothing of it is left."""
        try:
            deadline = time.monotonic() + GRACE_SECONDS
            standing = self._signal(signal.SIGTERM)
            while standing and time.monotonic() < deadline:
                self._poll()
                time.sleep(POLL_SECONDS)
                standing = self._signal(0)
        finally:  # also if the waiting itself is interrupted
            self._signal(signal.SIGKILL)
            try:
                self._process.wait(GRACE_SECONDS)
            finally:
                self._output.read(to_the_end=True)
                self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def _poll(self) -> int | None:
        try:
            return self._process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _signal(self, number: int) -> bool:
        """Whether there was a process in the group to get the signal."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS: the latter for ended processes
            return False
        return True


class _Output:
    """What a command prints: whole lines, redacted before anything else is done with them."""

    def __init__(self, stream: IO[bytes], secrets: tuple[str, ...]) -> None:
        os.set_blocking(stream.fileno(), False)
        self._stream = stream
        self._secrets = secrets
        self._rest = b""
        self._overlong = False
        self.lines: list[str] = []
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)

    def read(self, to_the_end: bool) -> None:
        """Take what is there now. Never waits: a left-over child may keep the pipe open."""
        for _ in range(16):  # no more than a megabyte: one that never stops printing must not hold
            try:
                chunk = os.read(self._stream.fileno(), LINE_BYTES)
            except BlockingIOError:
                break
            if not chunk:
                break
            self._take(chunk)
        if to_the_end and self._rest:
            self._take(b"\n")

    def batch(self) -> str:
        """The lines since the last batch; of very many only the last ones."""
        lines, self.lines = self.lines, []
        left_out = len(lines) - BATCH_LINES
        if left_out > 0:
            lines = [f"({left_out} lines left out)", *lines[-BATCH_LINES:]]
        return "\n".join(lines)

    def close(self) -> None:
        self._stream.close()

    def _take(self, chunk: bytes) -> None:
        *whole, self._rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            if not self._overlong:
                self._add(line)
            self._overlong = False
        if len(self._rest) > LINE_BYTES:
            # Its remainder is dropped: a secret that was cut in two could not be found in it.
            if not self._overlong:
                self._add(self._rest)
            self._overlong = True
            self._rest = b""

    def _add(self, line: bytes) -> None:
        shown = "".join(c for c in line.decode(errors="replace") if c.isprintable() or c == "\t")
        text = redact(shown, self._secrets)[:LINE_SHOWN].rstrip()
        if text:
            self.lines.append(text)
            self.tail.append(text)
