"""The sample service's versions on one database: migrate with one, serve another."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psycopg

from gp_pipelines.artifacts.wheel import WheelArtifacts
from gp_pipelines.databases.sqlx import MigrationFile, migration_files
from gp_pipelines.model import Artifact
from gp_pipelines_tests.databases.waiting import wait_until

GOOD_REQUESTS = 60  # to /api, which v4 answers well


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]
    port: int
    client: httpx.Client

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port))

    def listens(self) -> bool:
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return False
        return True

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@dataclass(frozen=True)
class Sample:
    artifacts: WheelArtifacts
    url: str

    def artifact(self, version: str) -> Artifact:
        return self.artifacts.provide(version, lambda line: None, 120)

    def files(self, version: str) -> tuple[MigrationFile, ...]:
        directory = "ghostpirates_api/migrations"
        return migration_files(self.artifacts.read_directory(self.artifact(version), directory))

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url, autocommit=True)

    def start(self, version: str, command: str, **environment: str) -> subprocess.Popen[str]:
        argv, cwd = self.artifacts.command(self.artifact(version), ["ghostpirates-api", command])
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "DATABASE_URL": self.url, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def migrate(self, version: str) -> str:
        """What it printed. It has to succeed."""
        process = self.start(version, "migrate")
        output = process.communicate()[0]
        assert process.returncode == 0, output
        return output

    @contextmanager
    def serving(self, version: str, **environment: str) -> Iterator[Running]:
        """Until the body ends, which may have ended it already."""
        port = _free_port()
        process = self.start(version, "serve", PORT=str(port), **environment)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            running = Running(process, port, client)
            try:
                wait_until(running.listens, lambda: process.poll() is None)
                yield running
            finally:
                process.kill()
                process.communicate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
