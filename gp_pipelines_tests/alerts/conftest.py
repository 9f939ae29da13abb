"""A webhook of two services with an inbox of its own, and who is handed what it accepts."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gp_pipelines.alerts.contract import Alert
from gp_pipelines.alerts.inbox import Inbox
from gp_pipelines.alerts.webhook import create_app
from gp_pipelines_tests.alerts.running_webhook import CREDENTIALS, Client, running

SERVICES = ("api", "web")


@dataclass
class Accepted:
    """Stands for what launches rollbacks."""

    calls: list[tuple[Alert, ...]] = field(default_factory=list)
    error: Exception | None = None
    held: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.held.set()

    def __call__(self, alerts: tuple[Alert, ...]) -> None:
        self.held.wait(30)
        self.calls.append(alerts)
        if self.error is not None:
            raise self.error


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(f"sqlite:///{tmp_path / 'alerts.sqlite'}")


@pytest.fixture
def accepted() -> Accepted:
    return Accepted()


@pytest.fixture
def client(inbox: Inbox, accepted: Accepted) -> Iterator[Client]:
    with running(create_app(inbox, CREDENTIALS, SERVICES, accepted)) as client:
        yield client
