"""Turns into one supervised program: `python -I -m … DEFINITION RUN`.

supervisord starts this, and this becomes the program by exec. It stands in between because
- an environment with secrets is read from a file that only its owner may read; supervisord's own
  configuration cannot hold every value (a quote or a line feed in one cannot be written there);
- when supervisord itself is killed, its programs go on serving. A new supervisord cannot take
  them over, and a second copy of a program could not have its port. So this takes the living one
  over in its name: it waits for its end, and passes on the signal to end it. No connection is cut
  by that. What the living one prints is lost from then on, since the pipe that it prints to died
  with supervisord;
- a program that keeps dying is started again for ever, but not in a tight loop.

It imports little: it runs at each start of each replica.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from gp_pipelines.targets.local.processes import POLL_SECONDS, ProcessId
from gp_pipelines.targets.local.program_run import Run

LONGEST_PAUSE_SECONDS = 10.0
OPEN_FILES = 65536


def main(definition: Path, run: Path) -> None:
    parent = os.getppid()
    program = json.loads(definition.read_text())
    _pause(Run.read(run), program["digest"])
    while True:
        with _locked(run):
            before = Run.read(run)
            if before is None or not before.is_alive():
                Run.starting(before, program).write(run)
                break
        if before.digest == program["digest"]:
            _take_over(before.process, parent)
        else:
            before.end()
    _become(program)


def pause_after(early_ends: int) -> float:
    """Seconds to wait before a start that follows on that many runs that ended early."""
    return (
        0.0 if early_ends < 2 else min(0.5 * 2.0 ** min(early_ends, 9) / 4, LONGEST_PAUSE_SECONDS)
    )


def _pause(before: Run | None, digest: str) -> None:
    if before is not None and before.digest == digest and not before.is_alive():
        time.sleep(pause_after(before.early_ends_now()))


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Of two that would start the same program, one does, and the other finds it living."""
    with run.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _take_over(living: ProcessId, parent: int) -> None:
    """Return when `living` has ended by itself; leave if it was asked to, or nobody supervises."""
    print(f"supervisor: takes over the running process {living.pid}", flush=True)
    asked: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        asked.append(number)
        living.send(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    while living.is_alive():
        if os.getppid() != parent:
            sys.exit("supervisor: supervisord is gone")
        time.sleep(POLL_SECONDS)
    if asked:
        sys.exit(0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _become(program: Mapping[str, Any]) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SUPERVISOR_")}
    environment.update(program["environment"])
    command = program["command"]
    try:
        _allow_open_files()
        if program["user"] is not None:
            _drop_privileges(program["user"])  # from here on, not even Python's files may be open
        os.chdir(program["directory"])
        # supervisord may poll its end of our input as if it were a closed connection's (it does not
        # forget those), and would never rest if nobody had the other end. So we keep it, unread.
        os.set_inheritable(os.dup(0), True)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        # Python ignores SIGPIPE, and that is inherited. It is left so: a program that outlives
        # supervisord must not die of its next line of output.
        os.execvpe(command[0], command, environment)  # noqa: S606 (no shell is wanted)
    except (OSError, KeyError) as error:
        sys.exit(f"supervisor: {command[0]} cannot be started: {error}")


def _allow_open_files() -> None:
    """Many systems let a process have 1024 open files at first; the entrance may need more."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS has a limit of its own beside these
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _drop_privileges(name: str) -> None:
    import pwd

    user = pwd.getpwnam(name)
    os.initgroups(name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
