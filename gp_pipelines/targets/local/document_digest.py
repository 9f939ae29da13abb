"""Whether a file for Envoy is still what was written under its version."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest(document: Mapping[str, Any]) -> str:
    """Of everything in an xDS document but its version; blanks and order do not matter."""
    content = json.dumps({**document, "version_info": ""}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
