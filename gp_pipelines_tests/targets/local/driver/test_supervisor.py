"""Programs that are kept running: real supervisord, real processes."""

import os
import select
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local import program_start
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.processes import ProcessId
from gp_pipelines.targets.local.program import Program, ProgramState
from gp_pipelines.targets.local.program_start import LONGEST_PAUSE_SECONDS, pause_after
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines.targets.local.supervisord import Supervisord
from gp_pipelines.targets.local.unix_sockets import socket_path
from gp_pipelines_tests.databases.waiting import wait_until

SLEEPS = "echo started; exec sleep 300"
# What INI files, supervisord's own expansion and shells take for something else.
AWKWARD = "s3cr\"et 'x' %(here)s $HOME; #\n[program:evil]\ncommand=true\\"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "with blanks [x] 100%(n)s")


@pytest.fixture
def supervisor(home: Home) -> Iterator[Supervisor]:
    supervisor = Supervisor(home)
    supervisor.start_daemon()
    yield supervisor
    supervisor.stop_daemon()


def test_a_program_that_dies_is_started_again(home: Home, supervisor: Supervisor) -> None:
    first = _started(supervisor, _program(home, SLEEPS))
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: _state(supervisor).pid not in (None, first))
    state = _state(supervisor)
    assert state.running
    assert state.restarts == 1
    wait_until(lambda: "SIGKILL" in _state(supervisor).detail)


def test_a_programs_input_is_nothing_and_its_pipe_stays_open(tmp_path: Path) -> None:
    """A pipe that nobody can read from is an error to poll, and supervisord may poll it for ever.

    (Where the pipe has the number of a connection that was closed in the same moment.)
    """
    home = Home(tmp_path)
    program = _program(home, "cat; echo started; exec sleep 300")
    definition, run = tmp_path / "definition.json", tmp_path / "run.json"
    definition.write_text(program.to_json())
    command = [sys.executable, "-I", "-m", program_start.__name__, str(definition), str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            assert process.stdout.readline() == b"started\n"
            poll = select.poll()
            poll.register(process.stdin, select.POLLIN | select.POLLPRI | select.POLLHUP)
            assert poll.poll(0) == []
        finally:
            process.kill()


def test_programs_serve_on_when_supervisord_is_killed_and_are_taken_over(
    home: Home, supervisor: Supervisor
) -> None:
    pid = _started(supervisor, _program(home, SLEEPS))
    _kill_supervisord(home)
    state = _state(supervisor)
    assert state.pid == pid
    assert "not supervised" in state.detail

    supervisor.start_daemon()
    wait_until(lambda: "outlived" in _state(supervisor).detail)
    assert _state(supervisor).pid == pid
    assert _state(supervisor).restarts == 0

    os.kill(pid, signal.SIGKILL)  # it is as well looked after as before
    wait_until(lambda: _state(supervisor).pid not in (None, pid))


def test_a_program_that_was_taken_over_can_be_stopped(home: Home, supervisor: Supervisor) -> None:
    pid = _started(supervisor, _program(home, SLEEPS))
    _kill_supervisord(home)
    supervisor.start_daemon()
    wait_until(lambda: "outlived" in _state(supervisor).detail)
    supervisor.stop("program")
    assert ProcessId.of(pid) is None
    assert not _state(supervisor).running


def test_a_program_that_is_stopped_while_it_is_being_taken_over_ends_in_its_own_time(
    home: Home, supervisor: Supervisor
) -> None:
    script = "trap 'echo drained; exit' TERM; echo started; while :; do sleep 0.02; done"
    supervisor.put(_program(home, f"exec > out; {script}", stop_wait=3))
    wait_until(lambda: (out := home.root / "out").exists() and "started" in out.read_text())
    pid = _state(supervisor).pid
    assert pid is not None
    _kill_supervisord(home)
    supervisor.start_daemon()
    supervisor.stop("program")
    assert ProcessId.of(pid) is None
    assert (home.root / "out").read_text() == "started\ndrained\n"


def test_a_program_is_ended_even_if_supervisord_is_dead(home: Home, supervisor: Supervisor) -> None:
    pid = _started(supervisor, _program(home, SLEEPS))
    _kill_supervisord(home)
    supervisor.stop_daemon()
    assert ProcessId.of(pid) is None


def test_what_was_put_starts_again_with_the_next_daemon(home: Home, supervisor: Supervisor) -> None:
    pid = _started(supervisor, _program(home, SLEEPS))
    supervisor.stop_daemon()
    assert ProcessId.of(pid) is None
    supervisor.start_daemon()
    wait_until(lambda: _state(supervisor).running)


def test_putting_the_same_again_leaves_it_and_another_definition_replaces_it(
    home: Home, supervisor: Supervisor
) -> None:
    pid = _started(supervisor, _program(home, SLEEPS))
    supervisor.put(_program(home, SLEEPS))
    assert _state(supervisor).pid == pid
    supervisor.put(_program(home, SLEEPS, environment={"NEW": "1"}))
    wait_until(lambda: _state(supervisor).pid not in (None, pid))
    assert ProcessId.of(pid) is None
    assert _state(supervisor).restarts == 0


def test_the_same_program_put_by_many_at_once_runs_once(home: Home, supervisor: Supervisor) -> None:
    program = _program(home, "echo $$ >> starts; exec sleep 300")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(supervisor.put, [program] * 4))
    wait_until(lambda: _state(supervisor).running and (home.root / "starts").exists())
    assert (home.root / "starts").read_text().split() == [str(_state(supervisor).pid)]


def test_a_removed_program_is_gone_with_its_secrets(home: Home, supervisor: Supervisor) -> None:
    program = _program(home, SLEEPS, environment={"SECRET": AWKWARD})
    pid = _started(supervisor, program)
    supervisor.remove("program", "never-put")
    assert ProcessId.of(pid) is None
    assert supervisor.state("program") is None
    assert not Supervisord(home.supervisor).definition("program").exists()


def test_one_that_dies_while_it_is_removed_is_removed_all_the_same(
    home: Home, supervisor: Supervisor
) -> None:
    """supervisord may start it again after it was found to have ended."""
    for number in range(40):
        name = f"program-{number}"
        log = home.root / "logs" / f"{name}.log"
        supervisor.put(_program(home, SLEEPS, name=name, log=log))
        wait_until(partial(_has_started, log))
        state = supervisor.state(name)
        process = ProcessId.of(state.pid) if state and state.pid else None
        assert process is not None
        dying = threading.Timer(number % 20 * 0.002, process.kill)
        dying.start()
        supervisor.remove(name)
        dying.join()
        assert supervisor.state(name) is None


def test_one_that_does_not_end_when_asked_is_killed(home: Home, supervisor: Supervisor) -> None:
    stubborn = "trap '' TERM; echo ready > ready; while :; do sleep 0.05; done"
    supervisor.put(_program(home, stubborn, stop_wait=1))
    wait_until((home.root / "ready").exists)
    pid = _state(supervisor).pid
    assert pid is not None
    supervisor.stop("program")
    assert ProcessId.of(pid) is None


def test_a_secret_reaches_its_program_and_is_in_one_file_of_its_owner(
    home: Home, supervisor: Supervisor
) -> None:
    pid = _started(supervisor, _program(home, SLEEPS, environment={"SECRET": AWKWARD}))
    wait_until(lambda: psutil.Process(pid).name() == "sleep")
    assert psutil.Process(pid).environ()["SECRET"] == AWKWARD
    definition = Supervisord(home.supervisor).definition("program")
    files = [path for path in home.supervisor.rglob("*") if path.is_file()]
    assert [path for path in files if b"s3cr" in path.read_bytes()] == [definition]
    assert stat.S_IMODE(definition.stat().st_mode) == 0o600
    daemon = Supervisord(home.supervisor).process()
    assert daemon is not None
    for process in (psutil.Process(pid), psutil.Process(daemon.pid)):
        assert "s3cr" not in " ".join(process.cmdline())


def test_programs_do_not_inherit_the_callers_variables(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMEBODYS_TOKEN", "s3cret")
    supervisor = Supervisor(home)
    supervisor.start_daemon()
    try:
        pid = _started(supervisor, _program(home, SLEEPS))
        wait_until(lambda: psutil.Process(pid).name() == "sleep")
        environment = psutil.Process(pid).environ()
    finally:
        supervisor.stop_daemon()
    assert "SOMEBODYS_TOKEN" not in environment
    assert "PATH" in environment


def test_logs_are_bounded(home: Home, supervisor: Supervisor) -> None:
    program = _program(home, "head -c 45000000 /dev/zero | tr '\\0' x; echo done; exec sleep 300")
    supervisor.put(program)
    wait_until(lambda: program.log.exists() and program.log.read_bytes().endswith(b"done\n"))
    logs = list(program.log.parent.glob(f"{program.log.name}*"))
    assert 2 <= len(logs) <= 3
    assert sum(log.stat().st_size for log in logs) < 32_000_000


def test_what_cannot_be_started_says_why(home: Home, supervisor: Supervisor) -> None:
    program = _program(home, "", command=("/no/such/program",))
    supervisor.put(program)
    wait_until(lambda: program.log.exists() and "No such file" in program.log.read_text())
    wait_until(lambda: not _state(supervisor).running)


def test_without_a_daemon_nothing_can_be_put(home: Home) -> None:
    with pytest.raises(TargetUnavailable, match="gp up"):
        Supervisor(home).put(_program(home, SLEEPS))


def test_one_that_keeps_dying_is_started_at_longer_and_longer_intervals() -> None:
    pauses = [pause_after(ends) for ends in range(30)]
    assert pauses[:2] == [0, 0]
    assert pauses == sorted(pauses)
    assert pauses[3] > pauses[2] > 0
    assert max(pauses) == LONGEST_PAUSE_SECONDS


def test_the_socket_of_the_daemon_is_its_owners_alone(home: Home, supervisor: Supervisor) -> None:
    socket = socket_path(home.supervisor, "supervisord.sock")
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start one as somebody else")
def test_a_program_runs_as_the_user_that_it_asks_for(home: Home, supervisor: Supervisor) -> None:
    program = _program(home, SLEEPS, user="nobody", directory=Path("/"))
    pid = _started(supervisor, program)
    wait_until(lambda: psutil.Process(pid).username() == "nobody")


def _has_started(log: Path) -> bool:
    return log.exists() and "started" in log.read_text()


def _program(home: Home, script: str, **fields: Any) -> Program:
    values: dict[str, Any] = {
        "name": "program",
        "command": ("/bin/sh", "-c", script),
        "directory": home.root,
        "log": home.root / "logs" / "program.log",
        **fields,
    }
    return Program(**values)


def _started(supervisor: Supervisor, program: Program) -> int:
    """Its process, once it has printed something."""
    supervisor.put(program)
    wait_until(lambda: _has_started(program.log))
    pid = _state(supervisor).pid
    assert pid is not None
    return pid


def _state(supervisor: Supervisor) -> ProgramState:
    state = supervisor.state("program")
    assert state is not None
    return state


def _kill_supervisord(home: Home) -> None:
    daemon = Supervisord(home.supervisor).process()
    assert daemon is not None
    daemon.send(signal.SIGKILL)
    wait_until(lambda: not daemon.is_alive())
