"""Names that tell which process something was made for: what a killed one left is known by them."""

import hashlib
import secrets

from gp_pipelines.targets.local.processes import ProcessId


def name_for(owner: ProcessId) -> str:
    """A new one with each call."""
    return f"{_of(owner)}-{secrets.token_hex(3)}"


def has_living_owner(name: str) -> bool:
    """Whether the process that `name` was made for still runs."""
    pid = name.partition("-")[0]
    owner = ProcessId.of(int(pid)) if pid.isdigit() else None
    return owner is not None and name.startswith(f"{_of(owner)}-")


def _of(owner: ProcessId) -> str:
    return f"{owner.pid}-{hashlib.sha256(owner.started.encode()).hexdigest()[:6]}"
