"""Makes `xdist_group` work: pytest-xdist 3.8 sets a field for it that pytest 9.2 ignores."""

from typing import Any

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of one group go to one worker: its scheduler looks for `@group` in their ids."""
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            node: Any = item
            node._id = node._id.parse(f"{item.nodeid}@{group.args[0]}")
