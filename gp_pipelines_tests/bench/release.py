"""The area `release`: what a release costs, and what it loses."""

from gp_pipelines_tests.bench.definitions_load import definitions_load
from gp_pipelines_tests.bench.figure import Figure, Measurement

MEASUREMENTS = (Measurement((Figure("definitions.load_s", "s", at_most=3),), definitions_load),)
