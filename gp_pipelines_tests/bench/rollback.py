"""The area `rollback`: how soon users are back on the old version, and what it loses."""

from gp_pipelines_tests.bench.break_glass import break_glass
from gp_pipelines_tests.bench.figure import Figure, Measurement
from gp_pipelines_tests.bench.pushed_rollbacks import pushed_rollbacks
from gp_pipelines_tests.bench.ticks import ticks

MEASUREMENTS = (
    Measurement(
        (
            Figure("rollback.webhook_to_verified_p50_s", "s", at_most=2.5),
            Figure("rollback.webhook_to_verified_p95_s", "s", at_most=3),
            Figure("rollback.switch_p95_s", "s", at_most=0.1),
        ),
        pushed_rollbacks,
    ),
    Measurement(
        (
            Figure("rollback.break_glass_p95_s", "s", at_most=1),
            Figure("rollback.failed_requests", "requests", at_most=0),
            Figure("rollback.requests", "requests"),
        ),
        break_glass,
    ),
    Measurement(
        (
            Figure("sensor.tick_s", "s", at_most=1),
            Figure("sensor.tick_growth_ratio", "times", at_most=1.2),
        ),
        ticks,
    ),
)
