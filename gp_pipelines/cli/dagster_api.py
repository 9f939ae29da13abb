"""Dagster's webserver, asked over GraphQL: launch a run, read its events. Imports no Dagster."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

from gp_pipelines.errors import ConfigInvalid, StepFailed, TargetUnavailable
from gp_pipelines.rollback.vigil import DagsterState

LOCATION = "gp_pipelines"
ANSWER_SECONDS = 30.0

_REPOSITORY = """query { repositoriesOrError { __typename
  ... on RepositoryConnection { nodes { name location { name } } }
  ... on PythonError { message } } }"""

_LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on Error { message } } }"""

_WATCH = """query Watch($sensor: SensorSelector!) {
  instance { daemonHealth { daemonStatus(daemonType: "SENSOR") { lastHeartbeatTime } } }
  sensorOrError(sensorSelector: $sensor) { __typename
    ... on Error { message }
    ... on Sensor { sensorState { status
      typeSpecificData { ... on SensorData { lastCursor lastTickTimestamp } }
      ticks(limit: 2) { status timestamp endTimestamp error { message } } } } } }"""

_EVENTS = """query Events($id: ID!, $cursor: String) {
  runOrError(runId: $id) { __typename ... on Run { status tags { key value } } }
  logsForRun(runId: $id, afterCursor: $cursor, limit: 500) { __typename
    ... on EventConnection { cursor events { __typename
      ... on MessageEvent { message timestamp level stepKey }
      ... on ExecutionStepFailureEvent { error { message } failureMetadata { description
        metadataEntries { label ... on TextMetadataEntry { text } } } }
      ... on RunFailureEvent { error { message } } } } } }"""


@dataclass(frozen=True, slots=True)
class RunEvents:
    """What has happened in a run since a cursor."""

    status: str  # STARTED, SUCCESS, …
    tags: Mapping[str, str]
    events: tuple[Mapping[str, Any], ...]
    cursor: str | None


class DagsterApi:
    """One webserver. Every method raises `TargetUnavailable` if it does not answer."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(timeout=ANSWER_SECONDS, trust_env=False)

    def run_url(self, run_id: str) -> str:
        return f"{self.url}/runs/{run_id}"

    def launch(self, job: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """The new run's id. Raises `ConfigInvalid` for a configuration that the job refuses."""
        params = {
            "selector": {
                "repositoryLocationName": LOCATION,
                "repositoryName": self._repository_name,
                "jobName": job,
            },
            "runConfigData": dict(config),
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
        }
        answer = self._ask(_LAUNCH, params=params)["launchRun"]
        match answer["__typename"]:
            case "LaunchRunSuccess":
                return str(answer["run"]["runId"])
            case "RunConfigValidationInvalid":
                messages = "; ".join(error["message"] for error in answer["errors"])
                raise ConfigInvalid(
                    f"The job {job} does not take this: {messages}", state="Nothing was changed."
                )
        raise StepFailed(
            f"Dagster did not launch {job}: {answer.get('message', answer['__typename'])}",
            state="Nothing was changed.",
        )

    def events(self, run_id: str, cursor: str | None) -> RunEvents:
        answer = self._ask(_EVENTS, id=run_id, cursor=cursor)
        run, logs = answer["runOrError"], answer["logsForRun"]
        if run["__typename"] != "Run" or logs["__typename"] != "EventConnection":
            raise ConfigInvalid(f"Dagster knows no run {run_id}.")
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        return RunEvents(run["status"], tags, tuple(logs["events"]), logs["cursor"])

    def sensor_state(self, sensor: str) -> DagsterState:
        """Whether the sensor and its daemon live, and what its last tick has left."""
        selector = {
            "repositoryLocationName": LOCATION,
            "repositoryName": self._repository_name,
            "sensorName": sensor,
        }
        answer = self._ask(_WATCH, sensor=selector)
        found = answer["sensorOrError"]
        if found["__typename"] != "Sensor":
            raise StepFailed(f"Dagster does not know the sensor {sensor}: {found.get('message')}")
        state, ticks = found["sensorState"], found["sensorState"]["ticks"]
        ended = [tick for tick in ticks if tick["status"] != "STARTED"]
        error = (ended[0]["error"] or {}).get("message", "") if ended else ""
        data = state["typeSpecificData"] or {}
        return DagsterState(
            daemon_at=answer["instance"]["daemonHealth"]["daemonStatus"]["lastHeartbeatTime"],
            sensor_running=state["status"] == "RUNNING",
            tick_at=max(
                (tick["endTimestamp"] or tick["timestamp"] for tick in ticks), default=None
            ),
            tick_error=error.strip(),
            cursor=data.get("lastCursor"),
        )

    @cached_property
    def _repository_name(self) -> str:
        answer = self._ask(_REPOSITORY)["repositoriesOrError"]
        for node in answer.get("nodes", ()):
            if node["location"]["name"] == LOCATION:
                return str(node["name"])
        raise TargetUnavailable(
            f"Dagster at {self.url} has not loaded the project: "
            f"{answer.get('message', 'its code location is missing')}",
            state="Nothing was changed.",
            advice="`.venv/bin/dg check defs` says what is wrong with it; then `gp up`.",
        )

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        try:
            response = self._client.post(
                f"{self.url}/graphql", json={"query": query, "variables": variables}
            )
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise TargetUnavailable(
                f"Dagster at {self.url} does not answer: {error or type(error).__name__}",
                state="What was launched goes on; nothing else was changed.",
                advice="`gp up` starts it; `gp status` works without it.",
            ) from None
        if answer.get("errors"):
            messages = "; ".join(error["message"] for error in answer["errors"])
            raise StepFailed(f"Dagster at {self.url} refuses the request: {messages}")
        data: dict[str, Any] = answer["data"]
        return data
