"""Names that become file names: none may lead anywhere else."""

import re

from gp_pipelines.errors import ConfigInvalid

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,199}")


def require_plain_name(name: str) -> str:
    """`name`, if it is one part of a path and nothing more; else `ConfigInvalid`."""
    if not _PLAIN.fullmatch(name):
        raise ConfigInvalid(
            f"{name!r} is not a name.",
            state="Nothing was changed.",
            advice="A name starts with a letter or digit, has at most 200 characters, and "
            "consists of letters, digits and any of . _ : @ + = -",
        )
    return name
