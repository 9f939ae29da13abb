"""Writing files so that a reader, or a crash, sees the old content or the new one."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: str, mode: int = 0o644) -> None:
    """Replace `path` by rename, with the content on disk before its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_directory(path.parent)


def write_if_changed(path: Path, content: str, mode: int = 0o644) -> bool:
    """Replace `path` unless it has that content. Whether it was replaced."""
    with suppress(FileNotFoundError, UnicodeDecodeError):
        if path.read_text() == content and path.stat().st_mode & 0o777 == mode:
            return False
    write_atomically(path, content, mode)
    return True


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
