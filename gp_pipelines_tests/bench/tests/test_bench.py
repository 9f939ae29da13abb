"""That a bench tells what it found: met, missed, or not measured."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from gp_pipelines_tests.bench.__main__ import bench
from gp_pipelines_tests.bench.definitions_load import RUNS, definitions_load
from gp_pipelines_tests.bench.figure import Figure, Measurement, Progress, Value


def measured(value: float, at_most: float | None) -> Measurement:
    def measure(progress: Progress) -> Mapping[str, Value]:
        return {"a.b_s": Value(value, 5)}

    return Measurement((Figure("a.b_s", "s", at_most),), measure)


@pytest.mark.parametrize(
    ("value", "at_most", "goal", "met"),
    [
        (3.0, 3.0, "<= 3", True),
        (0.0, 0.0, "<= 0", True),
        (3.01, 3.0, "<= 3", False),
        (7.0, None, None, None),
    ],
)
def test_a_missed_figure_is_reported_and_the_bench_is_done(
    tmp_path: Path, value: float, at_most: float | None, goal: str | None, met: bool | None
) -> None:
    assert bench("area", (measured(value, at_most),), tmp_path)
    report = json.loads((tmp_path / "area.json").read_text())
    assert report["figures"] == [
        {"name": "a.b_s", "value": value, "unit": "s", "goal": goal, "met": met, "runs": 5}
    ]
    assert datetime.fromisoformat(report["at"]).tzinfo is not None
    assert report["machine"].keys() >= {"cores", "memory_gib", "python", "versions"}


def test_what_cannot_be_measured_is_said_and_the_rest_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(progress: Progress) -> Mapping[str, Value]:
        raise RuntimeError("no such target")

    figures = (Figure("c.d_ms", "ms", 1), Figure("c.e", "requests"))
    assert not bench("area", (Measurement(figures, broken), measured(1, 3)), tmp_path)
    first, second, third = json.loads((tmp_path / "area.json").read_text())["figures"]
    assert first["error"] == second["error"] == "RuntimeError: no such target"
    assert first["value"] is second["value"] is None
    assert first["met"] is second["met"] is False
    assert third["met"] is True
    table = capsys.readouterr().out
    assert table.count("not measured") == 2
    assert "a.b_s" in table


def test_a_measurement_that_leaves_a_figure_out_is_not_a_result(tmp_path: Path) -> None:
    forgetful = Measurement((Figure("c.d_ms", "ms", 1),), lambda _: {})
    assert not bench("area", (forgetful,), tmp_path)


def test_definitions_are_loaded_in_new_processes(tmp_path: Path) -> None:
    (tmp_path / "defined.py").write_text(
        "import os, pathlib\n"
        "with open('loads', 'a') as file: file.write(f'{os.getpid()}\\n')\n"
        "class Repository:\n"
        "    def get_all_jobs(self): pathlib.Path('jobs').touch()\n"
        "class Definitions:\n"
        "    def get_repository_def(self): return Repository()\n"
        "defs = Definitions\n"
    )
    (value,) = definitions_load(lambda _: None, "defined", tmp_path).values()
    assert value.value > 0
    assert value.runs == RUNS
    assert len(set((tmp_path / "loads").read_text().split())) == RUNS + 1
    assert (tmp_path / "jobs").exists()


def test_definitions_that_do_not_load_are_not_a_time(tmp_path: Path) -> None:
    (tmp_path / "defined.py").write_text("raise ValueError('a wrong services.yaml')")
    with pytest.raises(RuntimeError, match=r"defined did not load: .*a wrong services\.yaml"):
        definitions_load(lambda _: None, "defined", tmp_path)


def test_an_unknown_area_is_wrong_usage() -> None:
    command = [sys.executable, "-m", "gp_pipelines_tests.bench", "--area", "weather"]
    refused = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True)
    assert refused.returncode == 2
    assert b"release" in refused.stderr
