"""The documents beside the record: one JSON file each, in a directory for each kind."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.targets.local.file_errors import readable, writable
from gp_pipelines.targets.local.files import write_atomically
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.names import require_plain_name


class LocalLedger:
    """Implements `contract.Ledger` for one service of one home.

    Raises `ConfigInvalid` for a kind or a key that is no plain name, and `TargetUnavailable` for a
    document that is not what was written.
    """

    def __init__(self, home: Home, service: str) -> None:
        self._root = home.service(service).ledger

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        return _read(self._path(kind, key))

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        path = self._path(kind, key)
        content = json.dumps(dict(document), indent=2) + "\n"
        with writable(path):
            write_atomically(path, content)

    def delete(self, kind: str, key: str) -> None:
        path = self._path(kind, key)
        with writable(path):
            path.unlink(missing_ok=True)

    def list(self, kind: str) -> dict[str, dict[str, Any]]:
        directory = self._root / require_plain_name(kind)
        found = {path.stem: _read(path) for path in sorted(directory.glob("*.json"))}
        # One that was deleted between the look and the reading is None.
        return {key: document for key, document in found.items() if document is not None}

    def _path(self, kind: str, key: str) -> Path:
        return self._root / require_plain_name(kind) / f"{require_plain_name(key)}.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with readable(path):
            try:
                document = json.loads(path.read_bytes())
            except FileNotFoundError:
                return None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise TargetUnavailable(
            f"{path} is not what was written there: it holds no JSON object.",
            state="Nothing was changed, and traffic goes on where it went.",
            advice="Put its content back, or remove the file if what it says no longer matters.",
        )
    return document
