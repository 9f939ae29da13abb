"""The backups of one database on disk: one directory each, whole or not there.

    <utc time>-<short release id>/
      manifest.json   what it is and how it was proved, with a checksum over itself
      dump/           pg_dump's directory format, each file's checksum in the manifest

One that is being made is named `.partial`. A killed run leaves that; the next backup removes it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gp_pipelines.commands import REPORT_SECONDS
from gp_pipelines.databases.contract import Backup
from gp_pipelines.databases.pg_tools import directory_size, in_bytes
from gp_pipelines.errors import StepFailed
from gp_pipelines.model import Progress, short_id
from gp_pipelines.services import BackupRetention

PARTIAL = ".partial"
MANIFEST = "manifest.json"
DUMP = "dump"
CHUNK = 2**20


class BackupStore:
    def __init__(self, root: Path, retention: BackupRetention) -> None:
        self.root = root
        self._retention = retention

    def new_id(self, release_id: str) -> str:
        """Sorts by time; unique, as a release makes no two backups within a millisecond."""
        now = datetime.now(UTC)
        return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{short_id(release_id)}"

    @contextmanager
    def writing(self, backup_id: str) -> Iterator[Path]:
        """A directory to write a backup to. It becomes one on leaving, and is removed on failure.

        Only this user may read it: it holds everything that the database holds.
        """
        partial = self.root / f"{backup_id}{PARTIAL}"
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.mkdir(mode=0o700)
        try:
            yield partial
            partial.rename(self.root / backup_id)
            _sync(self.root)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def partials(self) -> tuple[str, ...]:
        """The ids of backups that were begun and not finished."""
        found = self.root.glob(f"*{PARTIAL}")
        return tuple(sorted(path.name.removesuffix(PARTIAL) for path in found))

    def remove_partial(self, backup_id: str) -> None:
        shutil.rmtree(self.root / f"{backup_id}{PARTIAL}", ignore_errors=True)

    def write_manifest(self, directory: Path, facts: Mapping[str, Any], progress: Progress) -> None:
        """Add `facts`, and the size and checksum of each file of the dump, to the backup."""
        size = directory_size(directory / DUMP)
        manifest = {**facts, "size": size, "files": _checksums(directory, size, progress)}
        manifest["checksum"] = _checksum(manifest)
        with (directory / MANIFEST).open("w") as file:
            json.dump(manifest, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        _sync(directory)

    def list(self) -> tuple[Backup, ...]:
        """The backups, oldest first. A directory whose manifest is not whole is none."""
        found = [self.get(path.parent.name) for path in self.root.glob(f"*/{MANIFEST}")]
        return tuple(sorted((b for b in found if b is not None), key=lambda b: (b.at, b.id)))

    def get(self, backup_id: str) -> Backup | None:
        """The backup, or None if its manifest is missing or is not what was written."""
        if backup_id.endswith(PARTIAL):
            return None
        directory = self.root / backup_id
        try:
            manifest = json.loads((directory / MANIFEST).read_text())
            whole = manifest.pop("checksum") == _checksum(manifest)
        except (OSError, ValueError, KeyError, AttributeError):
            return None
        if not whole or manifest["id"] != backup_id:
            return None
        return Backup(
            id=backup_id,
            at=datetime.fromisoformat(manifest["at"]),
            location=str(directory),
            size=manifest["size"],
            rows=manifest["rows"],
            verified=manifest["verified"],
            seconds=manifest["seconds"],
            proof=manifest["proof"],
            database=manifest["database"],
            database_size=manifest.get("database_size"),
            written=manifest.get("written"),
        )

    def require_whole(self, backup: Backup, progress: Progress) -> None:
        """Raise `StepFailed` unless each file of the dump is what was written."""
        directory = Path(backup.location)
        try:
            wanted = json.loads((directory / MANIFEST).read_text())["files"]
            found = _checksums(directory, backup.size, progress)
        except (OSError, ValueError, KeyError) as error:
            raise _damaged(backup, f"it cannot be read: {error}") from None
        for file in sorted(wanted.keys() | found.keys()):
            if wanted.get(file) != found.get(file):
                what = "is missing" if file not in found else "is not what was written"
                raise _damaged(backup, f"{file} {what}")

    @contextmanager
    def using(self, backup: Backup) -> Iterator[Path]:
        """Its dump, which is not removed meanwhile. Raises `StepFailed` if it is gone."""
        try:
            descriptor = os.open(backup.location, os.O_RDONLY)
        except OSError as error:
            raise _damaged(backup, f"it cannot be read: {error}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # let go of with the process, however that ends
            yield Path(backup.location) / DUMP
        finally:
            os.close(descriptor)

    def retire(self, keep: str) -> tuple[str, ...]:
        """Remove the verified backups that are too many or too old; the ids of those removed.

        Never `keep`, which is the newest one, nor one that is used. What is no whole backup is left
        for a person to look at.
        """
        others = [backup for backup in self.list() if backup.verified and backup.id != keep]
        too_many = len(others) - (self._retention.keep - 1)
        oldest = datetime.now(UTC) - timedelta(days=self._retention.keep_days)
        removed = []
        for number, backup in enumerate(others):
            if (number < too_many or backup.at < oldest) and self._remove(backup):
                removed.append(backup.id)
        return tuple(removed)

    def _remove(self, backup: Backup) -> bool:
        """False where it is used, or gone."""
        try:
            descriptor = os.open(backup.location, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Renamed first: a removal that is killed half-way must not leave half a backup.
            going = self.root / f"{backup.id}{PARTIAL}"
            Path(backup.location).rename(going)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        shutil.rmtree(going)
        return True


def _checksums(directory: Path, size: int, progress: Progress) -> dict[str, dict[str, Any]]:
    found = {}
    read, reported = 0, time.monotonic()
    for file in sorted(path for path in (directory / DUMP).rglob("*") if path.is_file()):
        digest = hashlib.sha256()
        with file.open("rb") as content:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
                read += len(chunk)
                if time.monotonic() - reported >= REPORT_SECONDS:
                    progress(f"computing checksums: {in_bytes(read)} of {in_bytes(size)}")
                    reported = time.monotonic()
        found[str(file.relative_to(directory))] = {
            "size": file.stat().st_size,
            "sha256": digest.hexdigest(),
        }
    return found


def _damaged(backup: Backup, why: str) -> StepFailed:
    return StepFailed(
        f"Backup {backup.id} is not whole any more: {why}.",
        state="Nothing was changed.",
        advice="Choose another one: `gp backups` lists them.",
    )


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _sync(directory: Path) -> None:
    """Make what was named in `directory` last, whatever happens to the machine."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
