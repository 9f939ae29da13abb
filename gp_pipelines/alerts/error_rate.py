"""The share of failed requests over a window, from counters that only go up."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from gp_pipelines.alerts.finding import Finding
from gp_pipelines.services import Probe
from gp_pipelines.targets.contract import RequestCounts


@dataclass(frozen=True, slots=True)
class Sample:
    seconds: float  # monotonic
    at: datetime  # by the target's clock
    counts: RequestCounts


class ErrorRate:
    """Of one version. The window opens with its first sample, and is then as long as configured.

    A window that has just opened is judged too: a version that fails every request need not do so
    for the whole window. `minimum_requests` keeps a few of them from deciding.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._samples: deque[Sample] = deque()

    def add(self, sample: Sample) -> None:
        """Forgets all before it if a counter went down: the entrance was started anew."""
        if self._samples and _went_down(self._samples[-1].counts, sample.counts):
            self._samples.clear()
        self._samples.append(sample)
        edge = sample.seconds - self._probe.window_seconds
        while len(self._samples) > 1 and self._samples[1].seconds <= edge:
            self._samples.popleft()  # what is left first is the last one at or before the edge

    def finding(self) -> Finding | None:
        if not self._samples:
            return None
        first, last = self._samples[0], self._samples[-1]
        requests = last.counts.total - first.counts.total
        failed = last.counts.failed - first.counts.failed
        if requests < self._probe.minimum_requests:
            return None
        if failed < requests * self._probe.error_ratio:
            return None
        seconds = last.seconds - first.seconds
        return Finding(
            what=f"{failed} of {requests} requests failed in {seconds:.1f} s",
            onset=next(s.at for s in self._samples if s.counts.failed > first.counts.failed),
            facts={
                "ratio": f"{failed / requests:.3f}",
                "requests": f"{requests}",
                "failed": f"{failed}",
                "window_seconds": f"{seconds:.1f}",
            },
        )


def _went_down(before: RequestCounts, after: RequestCounts) -> bool:
    return after.total < before.total or after.failed < before.failed
