"""A load as a process of its own: started, watched and ended by the one who wants it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from gp_pipelines_tests.load.log import LogReader, LogWriter
from gp_pipelines_tests.load.record import Mark
from gp_pipelines_tests.load.results import Results

CHECKOUT = Path(__file__).parents[2]
START_SECONDS = 20.0
LOOK_SECONDS = 0.02


class LoadFailed(RuntimeError):
    """The load itself did not work, so that its counts prove nothing."""


class Load:
    """Requests to `url` from `start` to `stop`, at most for `seconds`.

    `out` is the log, a file that must not exist yet. `timeout` (seconds) is for one request.
    Use it as a context manager: no load is left behind, and none outlives this process.
    """

    def __init__(
        self,
        url: str,
        out: Path,
        *,
        rate: float = 100.0,
        seconds: float = 900.0,
        timeout: float = 5.0,
    ) -> None:
        self.out = out.absolute()
        self._errors = self.out.with_suffix(".stderr")
        self._timeout = timeout
        self._command = [sys.executable, "-m", "gp_pipelines_tests.load", "--url", url]
        self._command += ["--out", str(self.out), "--rate", str(rate), "--seconds", str(seconds)]
        self._command += ["--timeout", str(timeout), "--parent", str(os.getpid())]
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = LogReader(self.out)

    def start(self) -> None:
        """Returns once the first requests go out. Raises `LoadFailed`."""
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                self._command,
                cwd=CHECKOUT,  # from where this package can be imported
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        self._wait_until(0, START_SECONDS)

    def results(self) -> Results:
        """What is known now; requests under way are not in it (see `Results.complete_until`).

        Raises `LoadFailed` if the load has ended, by a fault or because its seconds were over: what
        happened since then was not watched.
        """
        process = self._running()
        code = process.poll()
        if code is not None:
            raise LoadFailed(f"the load has ended (exit code {code}){self._last_words()}")
        with contextlib.suppress(FileNotFoundError):  # not started to write yet
            return self._reader.read()
        return Results(())

    def complete(self) -> Results:
        """All requests begun before this call, waited for until they have an answer or failed."""
        return self._wait_until(time.time_ns(), self._timeout + START_SECONDS)

    def mark(self, name: str) -> int:
        """Begin a window (see `Results.windows`); returns its start in ns since the epoch."""
        self._running()
        at = time.time_ns()
        with LogWriter(self.out) as log:
            log.write(Mark(at, name))
        return at

    def stop(self) -> Results:
        """End the load and return everything. Raises `LoadFailed` if it did not end in order."""
        self.results()
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(self._timeout + START_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            raise LoadFailed("the load did not end when it was told to, and was killed") from None
        self._process = None
        results = self._reader.read()
        if code or not results.ended:
            raise LoadFailed(f"the load ended badly (exit code {code}){self._last_words()}")
        return results

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._kill()

    def _wait_until(self, moment: int, seconds: float) -> Results:
        deadline = time.monotonic() + seconds
        while (results := self.results()).complete_until <= moment:
            if time.monotonic() > deadline:
                raise LoadFailed(f"the load showed no progress for {seconds:g} s")
            time.sleep(LOOK_SECONDS)
        return results

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LoadFailed("the load does not run")
        return self._process

    def _kill(self) -> None:
        process = self._running()
        process.kill()
        process.wait()
        self._process = None

    def _last_words(self) -> str:
        words = self._errors.read_text(errors="replace").strip()
        return f": {words[-1000:]}" if words else ""
