"""The project that a command works on: services.yaml, the platforms, the stack, and who asks."""

import getpass
import uuid
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gp_pipelines import history, rollbacks
from gp_pipelines.model import Holder
from gp_pipelines.platform import Platform
from gp_pipelines.wiring import Platforms

if TYPE_CHECKING:
    from gp_pipelines.targets.local.stack import Stack


class Project:
    """Everything is read when it is first asked for. Raises `ConfigInvalid` for a wrong file."""

    @cached_property
    def platforms(self) -> Platforms:
        return Platforms.load()

    @cached_property
    def stack(self) -> "Stack":
        # Not at the top: most commands need none of it, and a rollback must not wait for it.
        from gp_pipelines.targets.local.stack import Stack

        platforms = self.platforms
        return Stack(platforms.home, platforms.services, platforms.services.path.parent)

    def dagster_url(self) -> str | None:
        """Where Dagster's webserver answers; None if it is down."""
        return self.stack.addresses().dagster

    def webhook_url(self) -> str | None:
        """Where `gp webhook` takes alerts; None if `gp up` has not started it."""
        return self.stack.addresses().webhook

    def webhook_port(self, wanted: int | None) -> int:
        """`wanted`, or the one kept for it. Raises `TargetUnavailable` if somebody else has it."""
        from gp_pipelines.targets.local.ports import require_free
        from gp_pipelines.targets.local.stack_ports import webhook_port

        port = wanted or webhook_port(self.platforms.home)
        require_free(port, "the webhook")
        return port

    def named(self, service: str | None) -> list[Platform]:
        """The one service, or all of them. Raises `ConfigInvalid` for an unknown one."""
        names = [service] if service else list(self.platforms.services.names)
        return [self.platforms[name] for name in names]

    def release(self, service: str, release_id: str) -> dict[str, Any] | None:
        """What the target remembers of a release: number, color, outcome, its switch."""
        ledger = self.platforms[service].target.ledger
        return next(
            (doc for doc in history.newest_first(ledger) if doc["release_id"] == release_id), None
        )

    def rollback(self, service: str, release_id: str) -> dict[str, Any] | None:
        """What the target remembers of the rollback of a release: its run, alert and times."""
        found = rollbacks.found(self.platforms[service].target.ledger, release_id)
        return asdict(found) if found else None

    def holder(self, kind: str) -> Holder:
        """Of a command that works on the target itself, without Dagster."""
        command_id = f"cli-{uuid.uuid4()}"
        return Holder(command_id, command_id, kind, getpass.getuser())
