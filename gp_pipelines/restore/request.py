"""What is asked of a restore."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """`version` empty: the live one. `confirm` is the service's name, typed by the operator."""

    backup: str = ""
    version: str = ""
    operator: str = ""
    reason: str = ""
    confirm: str = ""
