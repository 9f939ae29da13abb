"""What senders of alerts prove themselves with: a token, and a secret to sign with."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gp_pipelines.errors import ConfigInvalid

TOKEN = "GP_WEBHOOK_TOKEN"  # noqa: S105 (a variable's name)
SECRET = "GP_WEBHOOK_SECRET"  # noqa: S105
SHORTEST = 16  # characters: one that can be guessed is none


@dataclass(frozen=True, slots=True)
class Credentials:
    token: str = field(repr=False)
    secret: str = field(repr=False)

    @classmethod
    def find(cls, environment: Mapping[str, str], directory: Path) -> "Credentials":
        """From the environment, or else from files in `directory`, made up at their first use.

        Raises `ConfigInvalid`.
        """
        return cls(
            token=_find(TOKEN, environment, directory / "token"),
            secret=_find(SECRET, environment, directory / "secret"),
        )


def _find(variable: str, environment: Mapping[str, str], file: Path) -> str:
    configured = environment.get(variable, "").strip()
    if configured:
        return _usable(configured, f"the environment variable {variable}")
    try:
        if not file.exists():
            _make_up(file)
        return _usable(file.read_text().strip(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(
            f"{file} cannot be used: {error}.",
            state="The webhook does not run: whoever sends alerts could not be told apart.",
            advice=f"Set {variable}, or see who may write there.",
        ) from None


def _make_up(file: Path) -> None:
    """Of two processes that do so at the same time, the first one's stands."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = file.with_name(f".{file.name}.{os.getpid()}")
    own.unlink(missing_ok=True)
    with os.fdopen(os.open(own, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as made:
        made.write(secrets.token_urlsafe(32) + "\n")
        made.flush()
        os.fsync(made.fileno())
    with suppress(FileExistsError):
        os.link(own, file)
    own.unlink()


def _usable(value: str, where: str) -> str:
    if len(value) < SHORTEST or not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigInvalid(
            f"What {where} holds is no token: it should be at least {SHORTEST} letters, digits "
            "and signs, without blanks.",
            state="The webhook does not run: anybody could guess it, or nobody send it.",
            advice="`openssl rand -hex 32` makes a good one.",
        )
    return value
