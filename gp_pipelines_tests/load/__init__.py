"""A steady load on the sample service that counts lost requests: `Load` runs it, `Results` tells.

Half of its clients connect for each request, half keep their connections; it reads and writes,
never sends a request twice, and keeps to its schedule whatever the service does.
"""

from gp_pipelines_tests.load.log import LogReader
from gp_pipelines_tests.load.process import Load, LoadFailed
from gp_pipelines_tests.load.record import Connection, Failure, Record
from gp_pipelines_tests.load.results import Results, Window

__all__ = [
    "Connection",
    "Failure",
    "Load",
    "LoadFailed",
    "LogReader",
    "Record",
    "Results",
    "Window",
]
