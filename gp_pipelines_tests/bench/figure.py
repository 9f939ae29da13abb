"""What a figure is, and how it is measured."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figure:
    name: str  # as the issues and the README give it
    unit: str
    at_most: float | None = None  # the goal; None: told for the record

    @property
    def goal(self) -> str | None:
        return None if self.at_most is None else f"<= {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Value:
    value: float
    runs: int  # how many runs it was taken from


def percentile(percent: float, values: Sequence[float], digits: int) -> Value:
    """By nearest rank."""
    rank = math.ceil(percent / 100 * len(values))
    return Value(round(sorted(values)[rank - 1], digits), len(values))


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures that are measured together. `measure` gives a value for each of their names.

    It bounds its own time, leaves nothing running, and raises rather than give a value that it is
    not sure of.
    """

    figures: tuple[Figure, ...]
    measure: Callable[[Progress], Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Result:
    figure: Figure
    value: Value | None  # None: it could not be measured
    error: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is no goal. What could not be measured is not met."""
        if self.value is None:
            return False
        at_most = self.figure.at_most
        return None if at_most is None else self.value.value <= at_most


def take(measurements: tuple[Measurement, ...], progress: Progress) -> tuple[Result, ...]:
    """Measure one after the other. What fails is reported as such, and the others are still taken:
    half a table that says what is missing is worth more than none."""
    return tuple(result for each in measurements for result in _take(each, progress))


def _take(measurement: Measurement, progress: Progress) -> list[Result]:
    progress(f"measuring {', '.join(figure.name for figure in measurement.figures)}")
    try:
        values = measurement.measure(progress)
        return [Result(figure, values[figure.name]) for figure in measurement.figures]
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        progress(f"could not be measured: {words}")
        return [Result(figure, None, words) for figure in measurement.figures]
