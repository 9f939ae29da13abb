"""The area `database`: how often the gate is wrong, how long it takes, and what a backup costs."""

from gp_pipelines_tests.bench.backup_overhead import backup_overhead
from gp_pipelines_tests.bench.figure import Figure, Measurement
from gp_pipelines_tests.bench.gate_time import large_schema, one_migration
from gp_pipelines_tests.bench.gate_verdicts import gate_verdicts

MEASUREMENTS = (
    Measurement(
        (
            Figure("gate.missed_breaking", "cases", at_most=0),
            Figure("gate.false_alarm_share", "of the harmless cases", at_most=0.03),
        ),
        gate_verdicts,
    ),
    Measurement((Figure("gate.one_migration_s", "s", at_most=3),), one_migration),
    Measurement((Figure("gate.large_schema_s", "s", at_most=20),), large_schema),
    Measurement((Figure("backup.overhead_ratio", "times", at_most=1.5),), backup_overhead),
)
