"""What is known of a run from its events so far: its steps, their times, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gp_pipelines.cli.dagster_api import RunEvents

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
TOLD = {"INFO", "WARNING", "ERROR"}
_MARKS = {"running": "▶", "done": "✓", "failed": "✗", "skipped": "-"}
_STATES = {
    "ExecutionStepStartEvent": "running",
    "ExecutionStepSuccessEvent": "done",
    "ExecutionStepFailureEvent": "failed",
    "ExecutionStepSkippedEvent": "skipped",
}

# What it means that a step was left out.
SKIPPED = {"switch": "waiting", "switch_back": "already"}


@dataclass
class Step:
    name: str
    state: str = "running"
    began: float = 0.0  # seconds since the epoch
    ended: float | None = None
    said: str = ""  # its newest line of progress

    @property
    def mark(self) -> str:
        return _MARKS[self.state]

    def seconds(self, now: float) -> float:
        return (self.ended or now) - self.began


@dataclass
class RunView:
    """A run as it is followed. `lines` are those that came with the last `take`."""

    run_id: str
    status: str = "STARTING"
    tags: Mapping[str, str] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    failure: str = ""
    refused: bool = False
    lines: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def outcome(self) -> str:
        """done, waiting (for a promotion), already, refused, failed, canceled, or under way."""
        if not self.ended:
            return "under way"
        if self.status == "SUCCESS":
            skipped = {name for name, step in self.steps.items() if step.state == "skipped"}
            return next((SKIPPED[name] for name in SKIPPED if name in skipped), "done")
        if self.status == "CANCELED":
            return "canceled"
        return "refused" if self.refused else "failed"

    def take(self, news: RunEvents) -> None:
        self.status, self.tags, self.lines = news.status, news.tags, []
        for event in news.events:
            self._take(event)

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, key = event["__typename"], event.get("stepKey")
        at = float(event.get("timestamp") or 0) / 1000
        if kind == "RunFailureEvent" and not self.failure:
            self.failure = (event.get("error") or {}).get("message") or event["message"]
        if key and kind in _STATES:
            step = self.steps.setdefault(key, Step(key, began=at))
            step.state = _STATES[kind]
            self._move(step, at, event)
        elif key in self.steps and kind == "LogMessageEvent" and event["level"] in TOLD:
            # (Dagster also logs for steps that it does not start; those are of no interest.)
            self.steps[key].said = event["message"]
            self.lines.append(f"  {key}: {event['message']}".replace("\n", "\n    "))

    def _move(self, step: Step, at: float, event: Mapping[str, Any]) -> None:
        if step.state == "running":
            step.began = at
            self.lines.append(f"{step.mark} {step.name}")
            return
        step.ended = at
        took = "skipped" if step.state == "skipped" else f"{step.seconds(at):.1f} s"
        self.lines.append(f"{step.mark} {step.name} ({took})")
        if step.state == "failed":
            self._note_failure(event)

    def _note_failure(self, event: Mapping[str, Any]) -> None:
        told = event.get("failureMetadata") or {}
        error = (event.get("error") or {}).get("message", "")
        self.failure = (told.get("description") or error or event["message"]).strip()
        entries = {e["label"]: e.get("text") for e in told.get("metadataEntries", ())}
        self.refused = entries.get("outcome") == "refused"
