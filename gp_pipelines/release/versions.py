"""Which of two versions is the older one."""

from packaging.version import InvalidVersion, Version


def is_older(candidate: str, live: str) -> bool:
    """Whether `candidate` comes before `live`, by PEP 440 (which `v1.2.3` and `2026.11.1` follow).

    Names that are no version numbers have no order: never older.
    """
    try:
        return Version(candidate) < Version(live)
    except InvalidVersion:
        return False


def may_be_older(candidate: str, other: str) -> bool:
    """Whether `candidate` comes before `other`, or nobody can tell."""
    if candidate == other:
        return False
    try:
        return Version(candidate) < Version(other)
    except InvalidVersion:
        return True
