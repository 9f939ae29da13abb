"""The daemon supervisord itself: its configuration, its start and its end.

The configuration is made from the programs' definitions each time, in one file: an `include` with
a pattern would not find a directory whose name has brackets or blanks in it.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.files import write_if_changed
from gp_pipelines.targets.local.processes import ProcessId
from gp_pipelines.targets.local.program import Program
from gp_pipelines.targets.local.supervisor_rpc import SupervisorRpc
from gp_pipelines.targets.local.unix_sockets import socket_path

START_SECONDS = 30.0
STOP_SECONDS = 15.0

# What programs inherit of the environment of whoever started the daemon: the rest may hold
# somebody's secrets, and would differ from one start to the next.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")


class Supervisord:
    """The daemon of one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._configuration = directory / "supervisord.conf"
        self._pid_file = directory / "supervisord.pid"
        self.log = directory / "supervisord.log"

    def definition(self, name: str) -> Path:
        return self._directory / "programs" / f"{name}.json"

    def run(self, name: str) -> Path:
        """Where the program's last start is recorded."""
        return self._directory / "run" / f"{name}.json"

    @property
    def rpc(self) -> SupervisorRpc:
        return SupervisorRpc(self._socket)

    def configure(self, programs: Iterable[Program]) -> None:
        """Write the configuration. It holds no environment, so no secret."""
        sections = [self._daemon_section()]
        for program in sorted(programs, key=lambda each: each.name):
            # supervisord refuses its whole configuration for one log whose directory is missing.
            program.log.parent.mkdir(parents=True, exist_ok=True)
            sections.append(self._program_section(program))
        self.run("").parent.mkdir(exist_ok=True)
        write_if_changed(self._configuration, "\n".join(sections), 0o600)

    def start(self) -> None:
        """Start the daemon, detached from the caller's terminal.

        One that lives and does not answer is killed first: its programs go on, and are taken over.
        So is one that is just being started, for a caller who was killed: it may have no pid file
        yet, and two of them would start each program. Raises `TargetUnavailable` if it cannot be
        started.
        """
        while living := self._living():
            for process in living:
                process.kill()
        self._socket.unlink(missing_ok=True)
        try:
            started = subprocess.run(
                [sys.executable, "-I", "-m", "supervisor.supervisord", "-c", self._configuration],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=START_SECONDS,
                env={name: os.environ[name] for name in INHERITED if name in os.environ},
            )
            failure = started.stderr or started.stdout if started.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            failure = str(error)
        if failure or not self.rpc.answers():
            raise TargetUnavailable(
                f"supervisord does not start: {failure.strip() or 'it does not answer'}",
                state="Nothing that ran before was ended.",
                advice=f"Its log is {self.log}.",
            )

    def stop(self) -> None:
        """End the daemon, whose programs have been stopped."""
        process = self.process()
        if self.rpc.answers():
            self.rpc.call("shutdown")
        if process is not None and not process.wait(STOP_SECONDS):
            process.kill()

    def process(self) -> ProcessId | None:
        """The living daemon, whether it answers or not."""
        try:
            pid = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        process = ProcessId.of(pid)
        # A stale file may name a process of somebody else by now.
        return process if process and self._is_daemon(pid) else None

    def _living(self) -> list[ProcessId]:
        """Every process that runs with this configuration."""
        pids = [pid for pid in psutil.pids() if self._is_daemon(pid)]
        return [process for process in map(ProcessId.of, pids) if process]

    def _is_daemon(self, pid: int) -> bool:
        """An editor in which somebody has the configuration open is none."""
        return {"supervisor.supervisord", str(self._configuration)} <= set(_command_line(pid))

    @property
    def _socket(self) -> Path:
        return socket_path(self._directory, "supervisord.sock")

    def _daemon_section(self) -> str:
        user = "user=root\n" if os.getuid() == 0 else ""  # said expressly, root is no warning
        return f"""\
[supervisord]
{user}directory={_escaped(self._directory)}
logfile={_escaped(self.log)}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={_escaped(self._pid_file)}
nocleanup=true

[unix_http_server]
file={_escaped(self._socket)}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

    def _program_section(self, program: Program) -> str:
        start = [sys.executable, "-I", "-m", "gp_pipelines.targets.local.program_start"]
        files = [str(self.definition(program.name)), str(self.run(program.name))]
        command = shlex.join(start + files)
        # The path of a log is expanded twice (options.py, _processes_from_section).
        return f"""\
[program:{program.name}]
command={_escaped(command)}
autostart=true
autorestart=true
startsecs=0
startretries=1000000
stopsignal={program.stop_signal}
stopwaitsecs={max(1, round(program.stop_wait))}
killasgroup=true
stdout_logfile={_escaped(_escaped(program.log))}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
redirect_stderr=true
"""


def _escaped(value: object) -> str:
    """`value` as supervisord's configuration has to have it: it expands `%(name)s`."""
    return str(value).replace("%", "%%")


def _command_line(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return []
