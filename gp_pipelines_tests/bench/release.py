"""The area `release`: what a release costs, and what it loses."""

from gp_pipelines_tests.bench.definitions_load import definitions_load
from gp_pipelines_tests.bench.figure import Figure, Measurement
from gp_pipelines_tests.bench.overhead import overhead
from gp_pipelines_tests.bench.switches import switches

MEASUREMENTS = (
    Measurement((Figure("definitions.load_s", "s", at_most=3),), definitions_load),
    Measurement((Figure("release.overhead_s", "s", at_most=3),), overhead),
    Measurement(
        (
            Figure("release.failed_requests", "requests", at_most=0),
            Figure("release.requests", "requests"),
            Figure("switch.first_new_answer_p95_ms", "ms", at_most=50),
            Figure("switch.verified_p95_ms", "ms", at_most=1000),
        ),
        switches,
    ),
)
