"""What moves one service's traffic: its routes with the record in them, and its color files.

Each change is a compare-and-swap: under the service's lock the file is compared with the reading
that the change was decided on, then replaced by rename, which is what Envoy watches for. A crash
leaves the old file or the new one.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gp_pipelines.errors import Conflict, RecordLost, TargetUnavailable
from gp_pipelines.model import Color, Heartbeat, Slot, TrafficRecord
from gp_pipelines.targets.contract import ColorReading, Reading
from gp_pipelines.targets.local import color_file, heartbeat_file, record_copy, routes_file
from gp_pipelines.targets.local.envoy_admin import EnvoyAdmin
from gp_pipelines.targets.local.file_errors import readable, writable
from gp_pipelines.targets.local.files import write_atomically
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.lock import end_stuck_holder, locked
from gp_pipelines.targets.local.replica_ports import replica_ports
from gp_pipelines.targets.record_json import UnreadableRecord

LOCK_SECONDS = 10.0
STUCK_SECONDS = 1.0
# Envoy takes a file up within milliseconds. One that has not after this long, and has refused
# files before, is not slow: it will not take this one up by waiting.
REFUSED_AFTER_SECONDS = 3.0

NO_FILE = "no file"


class LocalTraffic:
    """Implements `contract.TrafficStore` for one service of one home."""

    def __init__(self, home: Home, service: str) -> None:
        self._home = home
        self._service = service
        self._paths = home.service(service)
        self._admin = EnvoyAdmin(home)

    def read(self) -> Reading:
        return _reading(*self._load())

    def write(self, record: TrafficRecord, over: Reading) -> Reading:
        return self._swap_routes(record, lambda: self._require_same(self._paths.routes, over.token))

    def make_again(self, record: TrafficRecord) -> Reading:
        return self._swap_routes(record, self._require_routes_lost)

    def in_force(self, record: TrafficRecord) -> bool:
        """Raises `TargetUnavailable` if Envoy is down, or does not take the file."""
        file, _ = self._load()
        if file.record != record or file.edits:
            return False
        in_force = self._admin.routes(self._service)
        if in_force != file.version:
            self._require_not_refused(file.version, in_force)
        return in_force == file.version

    def end_stuck_writer(self) -> str | None:
        """The lock is held for milliseconds; who has it for a second is stopped, or hangs."""
        with writable(self._paths.lock):
            return end_stuck_holder(self._paths.lock, STUCK_SECONDS)

    def read_copy(self) -> TrafficRecord | None:
        return record_copy.read(self._paths.copy, self._service)

    def write_copy(self, record: TrafficRecord) -> None:
        with self._changing(self._paths.copy):
            record_copy.write_unless_newer(self._paths.copy, record)

    def read_color(self, color: Color) -> ColorReading:
        content = _read(self._paths.color(color))
        if content is None and not self._paths.copy.exists():
            return ColorReading(color, None, None, 0, _token(None))  # never had any
        return _color_reading(color, content)

    def write_color(
        self, color: Color, slot: Slot | None, fence: int, over: ColorReading
    ) -> ColorReading:
        path = self._paths.color(color)
        ports = replica_ports(self._home, slot) if slot else ()
        content = color_file.render(self._service, color, slot, ports, fence)
        with self._changing(path):
            self._require_same(path, over.token)
            write_atomically(path, content)
        return _color_reading(color, content.encode())

    def heartbeat(self) -> Heartbeat | None:
        with readable(self._paths.heartbeat):
            return heartbeat_file.read(self._paths.heartbeat)

    def renew(self, run_id: str, fence: int) -> None:
        with writable(self._paths.heartbeat):
            heartbeat_file.renew(self._paths.heartbeat, run_id, fence)

    def _swap_routes(self, record: TrafficRecord, compare: Callable[[], None]) -> Reading:
        content = routes_file.render(record)
        with self._changing(self._paths.routes):
            compare()
            write_atomically(self._paths.routes, content)
        written = content.encode()
        return _reading(routes_file.parse(written, self._service), written)

    def _load(self) -> tuple[routes_file.RoutesFile, bytes | None]:
        """The routes and their bytes. Raises `RecordLost`.

        No file is what a service has that never had any record. The copy is read first, because
        it is written last: so it can't be newer unless somebody put old routes back, and with
        them a fence that was taken already.
        """
        has_copy, copy = self._known_copy()
        content = _read(self._paths.routes)
        if content is None and not has_copy:
            return routes_file.RoutesFile(TrafficRecord(self._service), "", None, ()), None
        try:
            if content is None:
                raise UnreadableRecord("it is gone")
            file = routes_file.parse(content, self._service)
            if has_copy and file.record.revision == 0:
                raise UnreadableRecord("it holds no traffic record any more")
            if copy and record_copy.age(copy) > record_copy.age(file.record):
                raise UnreadableRecord(
                    f"it is an old one (revision {file.record.revision}, fence "
                    f"{file.record.fence}; its copy has {copy.revision} and {copy.fence})"
                )
        except UnreadableRecord as why:
            raise self._lost(str(why)) from None
        return file, content

    def _known_copy(self) -> tuple[bool, TrafficRecord | None]:
        """Whether there is a copy, and what it holds; None if that can't be read."""
        try:
            copy = self.read_copy()
        except TargetUnavailable:
            return True, None
        return copy is not None, copy

    def _lost(self, why: str) -> RecordLost:
        return RecordLost(
            f"{self._paths.routes} cannot be used: {why}.",
            state="A running Envoy keeps the routes that it took up last, so traffic goes on "
            "where it went. Nothing was changed.",
            advice=f"`gp repair {self._service} --to recorded` makes the file again from its copy. "
            "Do not restart Envoy before.",
        )

    def _require_same(self, path: Path, token: str) -> None:
        if _token(_read(path)) != token:
            raise Conflict(
                f"{path} was changed by somebody else in the meantime.",
                state="Nothing was written.",
                advice="Read it again, and decide again.",
            )

    def _require_routes_lost(self) -> None:
        try:
            _, content = self._load()
        except RecordLost:
            return
        if content is not None:
            raise Conflict(
                f"{self._paths.routes} is there, and can be read.",
                state="Nothing was written.",
                advice=f"See `gp status {self._service}`.",
            )

    def _require_not_refused(self, wanted: str, in_force: str | None) -> None:
        with readable(self._paths.routes):
            age = time.time() - self._paths.routes.stat().st_mtime
        failed = self._admin.failed_updates(self._service)
        if age > REFUSED_AFTER_SECONDS and failed:
            raise TargetUnavailable(
                f"Envoy does not take up {self._paths.routes}: {age:.0f} s after it was written, "
                f"version {in_force or 'none'} is in force and not {wanted}; Envoy has refused or "
                f"failed to read {failed} of its files since it started.",
                state="Traffic goes where the version in force sends it.",
                advice=f"Envoy's log says why: {self._home.envoy / 'logs' / 'envoy.log'}.",
            )

    @contextmanager
    def _changing(self, path: Path) -> Iterator[None]:
        with writable(path), locked(self._paths.lock, LOCK_SECONDS):
            yield


def _reading(file: routes_file.RoutesFile, content: bytes | None) -> Reading:
    return Reading(
        record=file.record,
        token=_token(content),
        now=datetime.now(UTC),
        observed=file.observed,
        edits=file.edits,
    )


def _color_reading(color: Color, content: bytes | None) -> ColorReading:
    file = color_file.parse(content, color)
    return ColorReading(
        color, file.slot_name, file.release_id, file.fence, _token(content), file.edits
    )


def _token(content: bytes | None) -> str:
    return NO_FILE if content is None else hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes | None:
    """The content, None if there is no file."""
    with readable(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
