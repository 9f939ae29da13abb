"""Foreign commands: their output, their end, and what they leave behind."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from gp_pipelines import commands
from gp_pipelines.commands import Command, CommandTimedOut


def python(source: str, *, secrets: tuple[str, ...] = ()) -> Command:
    return Command([sys.executable, "-c", source], environment={}, secrets=secrets)


def run(source: str, *, secrets: tuple[str, ...] = ()) -> tuple[int, str]:
    seen: list[str] = []
    with python(source, secrets=secrets) as command:
        code = command.wait(60, seen.append, lambda seconds: None)
    return code, "\n".join(seen)


def test_exit_code_and_output_come_back() -> None:
    code, output = run("import sys; print('a'); print('b', file=sys.stderr, end=''); sys.exit(7)")
    assert code == 7
    assert sorted(output.split()) == ["a", "b"]


def test_a_signal_is_a_negative_code() -> None:
    assert run("import os; os.kill(os.getpid(), 9)")[0] == -9


def test_secrets_are_taken_out_of_each_line_and_of_what_follows_an_overlong_one() -> None:
    source = (
        "s = 'hid' + 'den'\n"
        "print('a', s)\n"
        "print(' ' * 65530 + s + ' ' * 65536 + s)\n"
        "print('\\x1b[1m' + 'hid\\0den')\n"
        "print('z')"
    )
    _, output = run(source, secrets=("hidden",))
    assert "hid" not in output.replace("a ***", "")
    assert "den" not in output
    assert "a ***" in output
    assert output.endswith("z")


def test_a_flood_of_lines_becomes_few_reports_with_the_last_lines() -> None:
    reports: list[str] = []
    with python("for n in range(100_000): print(n)") as command:
        command.wait(60, reports.append, lambda seconds: None)
        assert command.tail.splitlines()[-1] == "99999"
    assert all(len(report.splitlines()) <= commands.BATCH_LINES + 1 for report in reports)
    assert "lines left out" in reports[-1]


def test_silence_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "REPORT_SECONDS", 0.05)
    silences: list[float] = []
    with python("import sys; sys.stdin.read(); import time; time.sleep(0.5)") as command:
        command.wait(60, print, silences.append)
    assert len(silences) >= 2
    assert silences == sorted(silences)


def test_one_that_ignores_sigterm_is_killed_after_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "GRACE_SECONDS", 0.2)
    source = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    with python(source) as command:
        while "ready" not in command.tail:
            with pytest.raises(CommandTimedOut):
                command.wait(0.1, print, print)
    assert not psutil.pid_exists(command.pid)


def test_what_it_prints_on_sigterm_is_in_the_tail() -> None:
    source = (
        "import signal, time\n"
        "def end(*_): print('rolled back', flush=True); raise SystemExit\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(600)"
    )
    with python(source) as command:
        while "ready" not in command.tail:
            with pytest.raises(CommandTimedOut):
                command.wait(0.1, print, print)
    assert command.tail.splitlines() == ["ready", "rolled back"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interruption_while_waiting_ends_the_whole_group(
    tmp_path: Path, kind: type[BaseException]
) -> None:
    child = tmp_path / "child"
    source = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(child)!r}, 'w').write(str(p.pid)); print('ready', flush=True); p.wait()"
    )

    def interrupt(_: str) -> None:
        raise kind

    with pytest.raises(kind), python(source) as command:
        command.wait(60, interrupt, print)
    assert not psutil.pid_exists(command.pid)
    assert gone(int(child.read_text()))


def test_a_child_that_is_left_behind_and_holds_the_output_open_is_ended() -> None:
    source = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(p.pid)"
    )
    code, output = run(source)
    assert code == 0
    assert gone(int(output))


def gone(pid: int) -> bool:
    """A process that nobody has waited for yet is gone as well."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False
