"""What the system says about a file of the target, as a person should read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gp_pipelines.errors import TargetUnavailable


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raises `TargetUnavailable` where reading `path` fails with an `OSError`."""
    try:
        yield
    except OSError as error:
        raise TargetUnavailable(
            f"{path} cannot be read: {error.strerror or error}.",
            state="Nothing was changed, and traffic goes on where it went.",
            advice="See to the disk, and to who may read the file.",
        ) from None


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Raises `TargetUnavailable` where replacing `path` fails with an `OSError`."""
    try:
        yield
    except OSError as error:
        raise TargetUnavailable(
            f"{path} cannot be written: {error.strerror or error}.",
            state="What stood there before is whole, and traffic goes on where it went.",
            advice="See that the disk has room, and who may write there; then try again.",
        ) from None
