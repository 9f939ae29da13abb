"""What the contract suite needs of a target that it tests: a service, and a person's hands.

A target runs this suite by giving `conftest.subject` one of these. Everything here is real, and
nothing here is shared between two tests.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from gp_pipelines.model import Color
from gp_pipelines.targets.contract import Launch, Target


class Behaviour(StrEnum):
    """How the replicas of a launch behave."""

    GOOD = "good"
    NEVER_READY = "never_ready"  # runs, and its health check answers 503
    CRASHES = "crashes"  # prints "cannot start" and ends with status 3, each time


class Subject(Protocol):
    """A service that never had any release, on a target that is up.

    Its stand-in answers `/health` with its version as JSON, and `/slow?seconds=…` after that long;
    it prints a line at its start that holds the secret `TOKEN` that it was given.
    """

    @property
    def service(self) -> str: ...

    @property
    def target(self) -> Target: ...

    @property
    def open(self) -> Callable[[], Target]:
        """Makes the target as another process would; may be sent to one (it can be pickled)."""
        ...

    def launch(self, version: str, behaviour: Behaviour = Behaviour.GOOD) -> Launch: ...

    def kill_replica(self, slot_name: str, n: int) -> None:
        """End a replica's process without notice."""
        ...

    def nothing_left_of(self, slot_name: str) -> bool:
        """Whether no process, and nothing else that a slot had, is left on the target."""
        ...

    def send_traffic_by_hand(self, color: Color) -> None:
        """A person edits the switched object, and leaves the record in it as it is."""
        ...

    def edit_record_by_hand(self) -> None:
        """A person changes the fence in the record, and leaves the traffic as it is."""
        ...

    def delete_object(self) -> None:
        """A person deletes the switched object."""
        ...

    def spoil_object(self) -> None:
        """A person leaves the switched object there, and no readable record in it."""
        ...

    def edit_color_by_hand(self, color: Color) -> None:
        """A person changes what stands behind a color."""
        ...
