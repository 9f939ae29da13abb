"""A project of the demo's own, so that it never touches what a person runs in this checkout."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
GP = Path(sys.executable).parent / "gp"
RETENTION_SECONDS = 10
COMMAND_SECONDS = 300
WATCHED: Mapping[str, Any] = {"probe": {"window_seconds": 5}}


class DemoProject:
    """`root` is made anew: services.yaml with short times, and what Dagster reads beside it."""

    def __init__(
        self,
        root: Path,
        retention_seconds: float = RETENTION_SECONDS,
        alerts: Mapping[str, Any] = WATCHED,
    ) -> None:
        self.root = root
        self.retention_seconds = retention_seconds
        self.alerts = alerts
        self.services = root / "services.yaml"

    def make(self) -> None:
        if self.services.exists():
            self.gp("down", "--purge")
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        for name in ("workspace.yaml", "dagster.yaml"):
            shutil.copy(CHECKOUT / name, self.root / name)
        content = _with_short_times(CHECKOUT / "services.yaml", self.retention_seconds, self.alerts)
        self.services.write_text(yaml.safe_dump(content))

    def gp(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The exit code and the object of `gp … --json`, its progress on our stderr.

        Raises RuntimeError if it gave no object.
        """
        done = subprocess.run(
            [GP, *arguments, "--json"],
            cwd=self.root,
            env={**_without_own_settings(), "GP_HOME": str(self.root / "var")},
            stdout=subprocess.PIPE,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        try:
            found = json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(
                f"gp {' '.join(arguments)} ended with {done.returncode} and said {done.stdout!r}"
            ) from None
        assert isinstance(found, dict)
        return done.returncode, found


def _without_own_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "GP_SERVICES"}


def _with_short_times(services: Path, retention_seconds: float, alerts: Mapping[str, Any]) -> Any:
    content = yaml.safe_load(services.read_text())
    for service in content["services"].values():
        service["artifact"]["source"] = str(services.parent / service["artifact"]["source"])
        service["retention_seconds"] = retention_seconds
        service["timeouts"] = {"drain": 10}
        service["alerts"] = dict(alerts)
        service["target"].pop("port", None)
    return content
