"""The figures that this project holds itself to, measured: `python -m gp_pipelines_tests.bench`.

An area is a list of measurements in a module of its name, entered in `__main__`.
"""
