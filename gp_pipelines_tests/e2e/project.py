"""A project of its own with many services, run by `gp up`: the real thing, with short times."""

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import yaml

from gp_pipelines import history
from gp_pipelines.platform import Platform
from gp_pipelines.services import load_services
from gp_pipelines.status import ServiceStatus, read_status
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.supervisor import Supervisor
from gp_pipelines.wiring import Platforms
from gp_pipelines_tests.e2e.dagster import Dagster
from gp_pipelines_tests.e2e.patience import wait_until

CHECKOUT = Path(__file__).parents[2]
SMALL_SERVICE = Path(__file__).parent / "small_service"
BIN = Path(sys.executable).parent
COMMAND_SECONDS = 150.0
# Until a killed run's work is ended: 15 s of silence, two looks of the sensor, and the work itself.
RECONCILED_SECONDS = 60.0


@dataclass(frozen=True)
class Said:
    """How a `gp` command ended. `out` is stdout, `err` what it told people meanwhile."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        """The one object that `--json` promises. Raises ValueError for anything else on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Project:
    """`services` are small ones by name, with what is special about each in services.yaml.

    `apis` are copies of the sample service, with a database of their own.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = Home(root / "var")
        self.file = root / "services.yaml"
        self.source = root / "small_service"
        self._services: dict[str, Any] = {}
        self._free: list[str] = []
        self.variables: dict[str, str] = {}  # of every `gp` command
        shutil.copytree(SMALL_SERVICE, self.source)
        for name in ("workspace.yaml", "dagster.yaml"):
            shutil.copy(CHECKOUT / name, root / name)

    def add(self, name: str, **special: Any) -> None:
        self._add(name, {**_small(self.source, self._trouble(name)), **special})

    def add_free(self, count: int) -> None:
        """Services that tests may ask for one by one: see `free`."""
        for number in range(1, count + 1):
            self.add(f"small-{number}")
            self._free.append(f"small-{number}")

    def add_api(self, name: str, *, contract: Any = None, **special: Any) -> None:
        sample = _sample()
        if contract:
            sample["database"]["contract"] = contract
        self._add(name, {**sample, **special})

    def free(self) -> "TestedService":
        """A service that nobody has released yet."""
        return self.service(self._free.pop(0))

    def service(self, name: str) -> "TestedService":
        return TestedService(self, name)

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Up, and taken down at the end, also when this process does not live to see it."""
        guardian = subprocess.Popen(
            [sys.executable, "-m", "gp_pipelines_tests.e2e.guardian", str(os.getpid()), self.root],
            cwd=CHECKOUT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self.up()
            yield self
        finally:
            self.down()
            guardian.kill()
            guardian.wait()
        assert self._processes() == []

    def _processes(self) -> list[list[str]]:
        """What runs of it, by its command lines."""
        commands = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
        return [each for each in commands if any(str(self.root) in part for part in each)]

    def up(self) -> None:
        said = self.gp("up")
        assert said.code == 0, said.err
        self.dagster = Dagster(said.object["dagster_url"])
        self.webhook = str(said.object["webhook_url"])

    def down(self) -> None:
        said = self.gp("down", "--purge")
        assert said.code == 0, said.err

    def gp(self, *arguments: str, json: bool = True, **environment: str) -> Said:
        """`gp … --json`, run to its end."""
        done = subprocess.run(
            [BIN / "gp", *arguments, *(["--json"] if json else [])],
            cwd=self.root,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def environment(self, **more: str) -> dict[str, str]:
        own = ("GP_HOME", "GP_SERVICES", "DAGSTER_HOME")
        kept = {name: value for name, value in os.environ.items() if name not in own}
        return {**kept, "GP_HOME": str(self.home.root), **self.variables, **more}

    @property
    def names(self) -> list[str]:
        return list(self._services)

    def definition(self, name: str) -> dict[str, Any]:
        """A copy of what services.yaml has of it."""
        return copy.deepcopy(self._services[name])

    @property
    def builds(self) -> Path:
        """Of the small services, all of them."""
        return self._builds(self.source)

    @property
    def platforms(self) -> Platforms:
        """Opened anew, as another process does it."""
        return Platforms(load_services(self.file), self.home)

    def pid(self, program: str) -> int | None:
        state = Supervisor(self.home).state(program)
        return state.pid if state and state.running else None

    def kill(self, program: str) -> None:
        """-9. Returns once it is gone, or has been started again."""
        pid = self.pid(program)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pid(program) != pid)

    def _add(self, name: str, definition: dict[str, Any]) -> None:
        self._services[name] = definition
        self._trouble(name).mkdir(parents=True, exist_ok=True)
        self.file.write_text(yaml.safe_dump({"services": self._services}))
        # All services of one source have the same versions: each is built once for all of them.
        store = self.home.artifacts(name)
        shared = self._builds(Path(definition["artifact"]["source"]))
        shared.mkdir(parents=True, exist_ok=True)
        store.parent.mkdir(parents=True, exist_ok=True)
        store.unlink(missing_ok=True)
        store.symlink_to(shared)

    def _builds(self, source: Path) -> Path:
        return self.root / "builds" / source.name

    def _trouble(self, name: str) -> Path:
        return self.root / "trouble" / name


class TestedService:
    """One service of the project, and what tests do with it."""

    __test__ = False

    def __init__(self, project: Project, name: str) -> None:
        self.project = project
        self.name = name
        self._trouble = project._trouble(name)
        self._ends: list[Callable[[], None]] = []

    @property
    def dagster(self) -> Dagster:
        return self.project.dagster

    @cached_property
    def platform(self) -> Platform:
        """It reads the target afresh, each time."""
        return self.project.platforms[self.name]

    @property
    def status(self) -> ServiceStatus:
        """As `gp status` reads it."""
        return read_status(self.platform)

    @property
    def live(self) -> str | None:
        """The version."""
        record = self.platform.target.traffic.read().record
        return record.live.version if record.live else None

    @property
    def slots(self) -> list[str]:
        """The versions that stand on the target."""
        return sorted(status.slot.version for status in self.platform.target.slots.list())

    def launch(self, version: str, **fields: Any) -> str:
        """A release, from the launchpad."""
        return self.dagster.launch("release", service=self.name, version=version, **fields)

    def release(self, version: str, **fields: Any) -> str:
        """One that succeeds. Its run's id."""
        run_id = self.launch(version, **fields)
        status = self.dagster.end_of(run_id)
        assert status == "SUCCESS", self.dagster.failure(run_id)
        return run_id

    def go_bad(self) -> str:
        """v2 is live, and v1 is warm. The run of v2's release."""
        self.release("v1")
        return self.release("v2")

    def alert(self, **labels: str) -> None:
        """One that fires since now, sent to the webhook, whoever it names."""
        token = (self.project.home.webhook / "token").read_text().strip()
        body = {
            "labels": {"alertname": "HighErrorRate", "service": self.name, **labels},
            "status": "firing",
            "startsAt": datetime.now(UTC).isoformat(),
        }
        answer = httpx.post(
            f"{self.project.webhook}/webhook/alert",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
        )
        assert answer.json() == {"accepted": 1}, answer.text

    def gp(self, command: str, *arguments: str) -> Said:
        """`gp COMMAND SERVICE … --json`."""
        return self.project.gp(command, self.name, *arguments)

    @property
    def shown(self) -> dict[str, Any]:
        """What `gp status --json` has of it."""
        said = self.gp("status")
        assert said.code == 0, said.err
        (found,) = said.object["services"]
        assert isinstance(found, dict)
        return found

    def has_settled(self) -> bool:
        """Nobody holds the fence, and nothing is unfinished."""
        record = self.platform.target.traffic.read().record
        return record.holder is None and record.confirmed

    def settle(self, seconds: float = RECONCILED_SECONDS) -> None:
        wait_until(self.has_settled, seconds=seconds)

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """The releases as the target remembers them, newest first."""
        return history.newest_first(self.platform.target.ledger)

    def answers(self) -> str | None:
        """The version that users reach; None if they reach nothing."""
        answer = httpx.get(f"{self.platform.target.entrance.url}/identity", trust_env=False)
        if answer.status_code == 503:
            return None
        return str(answer.raise_for_status().json()["version"])

    def outcome(self, run_id: str) -> str | None:
        """What the target remembers of this run's release. AssertionError if nothing."""
        found: list[str | None] = [
            run["outcome"] for run in self.status.runs if run["run_id"] == run_id
        ]
        assert len(found) == 1, self.status.runs
        return found[0]

    @contextmanager
    def trouble(self, how: str, version: str) -> Iterator[None]:
        """See small_service/service.py."""
        self.begin(how, version)
        try:
            yield
        finally:
            self.end(how, version)

    def begin(self, how: str, version: str) -> None:
        (self._trouble / f"{how}-{version}").touch()

    def end_with_trouble(self, end: Callable[[], None]) -> None:
        """Something else that is the matter with it."""
        self._ends.append(end)

    def end_trouble(self) -> None:
        for file in self._trouble.iterdir():
            file.unlink()
        while self._ends:
            self._ends.pop()()

    def launch_sick(self, version: str) -> str:
        """A release that has begun to deploy, and goes on with that while it is `sick`."""
        self.begin("sick", version)
        run_id = self.launch(version)
        self.dagster.wait_for_line(run_id, f"starting 1 replicas of {version}")
        return run_id

    def launch_waiting(self, version: str) -> str:
        """A release that has begun its smoke checks; they go on while it is `waiting`."""
        self.begin("waiting", version)
        run_id = self.launch(version)
        self.dagster.wait_for_step(run_id, "smoke")
        return run_id

    def launch_unverifiable(self, version: str) -> str:
        """A release whose switch cannot be verified. Returns when it has passed its smoke checks.

        `unknown` is the trouble to end afterwards.
        """
        asked = self._trouble / f"asked-{version}"
        asked.unlink(missing_ok=True)
        with self.trouble("waiting", version):
            run_id = self.launch(version)
            wait_until(asked.exists, seconds=60, every=0.02)
            self.begin("unknown", version)
        return run_id

    def end(self, how: str, version: str) -> None:
        (self._trouble / f"{how}-{version}").unlink(missing_ok=True)


def _small(source: Path, trouble: Path) -> dict[str, Any]:
    return {
        "replicas": 1,
        "artifact": {"kind": "wheel", "source": str(source), "versions": ["v1", "v2"]},
        "command": ["small-service"],
        "environment": {"TROUBLE": str(trouble)},
        "identity": {"path": "/identity"},
        "smoke": {
            "checks": [
                {"path": "/identity", "json": {"version": "{version}"}},
                {"path": "/check", "max_ms": 60000},
            ],
            "repeat": 1,
        },
        "timeouts": {"drain": 2, "switch": 8, "deploy": 30, "smoke": 60},
    }


def _sample() -> dict[str, Any]:
    services = yaml.safe_load((CHECKOUT / "services.yaml").read_text())["services"]
    sample: dict[str, Any] = services["ghostpirates-api"]
    sample["artifact"]["source"] = str(CHECKOUT / sample["artifact"]["source"])
    sample["timeouts"] = {"drain": 5, "switch": 10}
    return sample
