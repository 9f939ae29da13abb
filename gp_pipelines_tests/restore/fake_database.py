"""A server in memory with the databases of one service, for the programs of a story.

Its calls are turns like those to the target: a program can be killed or frozen at each.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gp_pipelines.databases.contract import Backup, Pending, Schema
from gp_pipelines.errors import StepFailed
from gp_pipelines.model import Artifact, Progress
from gp_pipelines_tests.faults.fake_target import BEGINNING, World
from gp_pipelines_tests.faults.program import this_program

OWN = "api"
ROWS = {"public.missions": 3}


@dataclass
class Server:
    """What is really there: each database by name, and in it the last migration."""

    world: World
    databases: dict[str, str] = field(default_factory=lambda: {OWN: "2_more"})
    read_only: set[str] = field(default_factory=set)
    backups: list[Backup] = field(default_factory=list)
    sessions: set[object] = field(default_factory=set)  # of restores, that are open
    troubles: dict[str, str] = field(default_factory=dict)  # by call: why it fails
    written: dict[str, int | None] = field(default_factory=dict)  # since each backup

    def backed_up(self, backup_id: str, schema: str = "2_more", **facts: object) -> Backup:
        made = Backup(backup_id, BEGINNING, f"/backups/{schema}", 1, ROWS, True, 1.0)
        self.backups.insert(0, replace(made, **facts))  # type: ignore[arg-type]
        self.written[backup_id] = 7
        return self.backups[0]

    @property
    def current(self) -> str:
        document = self.world.documents.get(("database", "current"))
        return str(document["name"]) if document else OWN


class FakeDatabase:
    """Implements `databases.contract.Database`, as far as a restore asks it."""

    def __init__(self, server: Server, name: str = "") -> None:
        self.server = server
        self._name = name
        self.brings: dict[str, str] = {}  # the migration that a version needs

    def url(self) -> str:
        return f"postgresql:///{self.name()}"

    def name(self) -> str:
        return self._name or self.server.current

    def at(self, name: str) -> "FakeDatabase":
        other = FakeDatabase(self.server, name)
        other.brings = self.brings
        return other

    def require_up(self) -> None:
        _begin("require up")

    def schema(self) -> Schema:
        _begin("schema")
        applied = self.server.databases[self.name()]
        return Schema(applied, applied)

    def pending(self, artifact: Artifact, progress: Progress) -> Pending:
        _begin("pending")
        needed = self.brings.get(artifact.version)
        missing = needed is not None and needed > self.server.databases[self.name()]
        return Pending((needed,) if needed and missing else (), ())

    def backups(self) -> tuple[Backup, ...]:
        return tuple(self.server.backups)

    def written_since(self, backup: Backup) -> int | None:
        return self.server.written[backup.id]

    def restorer(self, run_id: str) -> "FakeRestorer":
        return FakeRestorer(self.server)


class FakeRestorer:
    """Implements `databases.contract.Restorer`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def require_possible(self, backup: Backup, progress: Progress) -> None:
        self._begin("require possible")

    def protect(self, name: str, allowed: Callable[[], object], progress: Progress) -> int:
        session = self._open()
        allowed()
        self._begin("protect", session)
        self._server.read_only.add(name)
        return 2

    def unprotect(self, name: str) -> None:
        self._begin("unprotect")
        self._server.sessions.clear()
        self._server.read_only.discard(name)

    def restore(
        self,
        backup: Backup,
        name: str,
        allowed: Callable[[], object],
        progress: Progress,
        timeout: float,
    ) -> str:
        session = self._open()
        allowed()
        self._begin("create", session)
        self._server.databases[name] = ""
        self._begin("restore", session)
        progress("restoring")
        self._server.databases[name] = backup.location.removeprefix("/backups/")
        return "3 rows are the same"

    def drop(self, name: str) -> None:
        self._begin("drop")
        self._server.sessions.clear()
        assert name not in (OWN, self._server.current), "the data in use"
        self._server.databases.pop(name, None)

    def _open(self) -> object:
        session = object()
        self._server.sessions.add(session)
        return session

    def _begin(self, call: str, session: object = None) -> None:
        _begin(call)
        if session is not None and session not in self._server.sessions:
            raise StepFailed("terminating connection due to administrator command")
        if call in self._server.troubles:
            raise StepFailed(self._server.troubles[call])


def _begin(call: str) -> None:
    this_program()._before(call)
