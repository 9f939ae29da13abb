"""What the service reads from its environment."""

import os
from dataclasses import dataclass

LOG_LEVELS = ("critical", "error", "warning", "info", "debug")


class SettingsError(Exception):
    """The environment lacks something, or holds something else than is needed."""


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    host: str
    port: int
    log_level: str
    release_id: str  # which release started this process; empty: none

    @classmethod
    def from_environment(cls) -> "Settings":
        """Raises `SettingsError`, which quotes no value of a secret."""
        database_url = os.environ.get("DATABASE_URL", "")
        if not database_url:
            raise SettingsError("DATABASE_URL is not set.")
        port = os.environ.get("PORT", "8000")
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise SettingsError(f"PORT is {port!r}; it is a number from 1 to 65535.")
        log_level = os.environ.get("LOG_LEVEL", "info").lower()
        if log_level not in LOG_LEVELS:
            raise SettingsError(
                f"LOG_LEVEL is {log_level!r}; it is one of {', '.join(LOG_LEVELS)}."
            )
        return cls(
            database_url=database_url,
            host=os.environ.get("HOST", "127.0.0.1"),
            port=int(port),
            log_level=log_level,
            release_id=os.environ.get("GP_RELEASE_ID", ""),
        )
