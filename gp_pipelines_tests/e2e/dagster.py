"""Dagster's webserver as the UI uses it: over GraphQL, and nothing of the project's own between."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from gp_pipelines_tests.e2e.patience import EVERY_SECONDS, wait_until

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
LOCATION = "gp_pipelines"
REPOSITORY = "__repository__"
RUN_SECONDS = 120.0

LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on Error { message } } }"""

EXECUTE_AGAIN = """mutation($params: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $params) { __typename
    ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }"""

TERMINATE = """mutation($id: String!) { terminateRun(runId: $id) { __typename
  ... on Error { message } } }"""

RUN = """query($id: ID!) { runOrError(runId: $id) { __typename ... on Run {
  status jobName tags { key value } rootRunId parentRunId startTime endTime } } }"""

ENTRIES = """label description
  ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr }
  ... on FloatMetadataEntry { floatValue } ... on IntMetadataEntry { intValue }
  ... on BoolMetadataEntry { boolValue } ... on TimestampMetadataEntry { timestamp }
  ... on PipelineRunMetadataEntry { runId } ... on UrlMetadataEntry { url }
  ... on JsonMetadataEntry { jsonString } ... on TableMetadataEntry { table { records } }"""

EVENTS = f"""query($id: ID!) {{ logsForRun(runId: $id, limit: 1000) {{ __typename
  ... on EventConnection {{ events {{ __typename
    ... on MessageEvent {{ message timestamp level stepKey }}
    ... on ExecutionStepOutputEvent {{ outputName metadataEntries {{ {ENTRIES} }} }}
    ... on ObservationEvent {{ metadataEntries {{ {ENTRIES} }} }}
    ... on ExecutionStepFailureEvent {{ error {{ message causes {{ message }} }}
      failureMetadata {{ description metadataEntries {{ {ENTRIES} }} }} }} }} }} }} }}"""

MATERIALIZATIONS = f"""query($key: AssetKeyInput!) {{ assetOrError(assetKey: $key) {{ __typename
  ... on Asset {{ assetMaterializations {{ runId description timestamp
    metadataEntries {{ {ENTRIES} }} tags {{ key value }} }} }} }} }}"""

Event = Mapping[str, Any]


class Dagster:
    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(timeout=60.0, trust_env=False)

    def ask(self, query: str, **variables: Any) -> Any:
        answer = self._client.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}
        ).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def launch(self, job: str, tags: Mapping[str, str] | None = None, **config: Any) -> str:
        """The new run's id. As the launchpad does it; AssertionError where that refuses."""
        answer = self.try_to_launch(job, tags, **config)
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def try_to_launch(
        self, job: str, tags: Mapping[str, str] | None = None, **config: Any
    ) -> Mapping[str, Any]:
        params = {
            "selector": _job(job),
            "runConfigData": config,
            "executionMetadata": {
                "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]
            },
        }
        answer: Mapping[str, Any] = self.ask(LAUNCH, params=params)["launchRun"]
        return answer

    def execute_again(self, run_id: str) -> str:
        """From the step that failed. The new run's id."""
        params = {"parentRunId": run_id, "strategy": "FROM_FAILURE"}
        answer = self.ask(EXECUTE_AGAIN, params=params)["launchRunReexecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def terminate(self, run_id: str) -> None:
        answer = self.ask(TERMINATE, id=run_id)["terminateRun"]
        assert answer["__typename"] == "TerminateRunSuccess", answer

    def run(self, run_id: str) -> dict[str, Any]:
        run = self.ask(RUN, id=run_id)["runOrError"]
        assert run["__typename"] == "Run", run
        return {**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}}

    def end_of(self, run_id: str, seconds: float = RUN_SECONDS) -> str:
        """Its status, once it has ended."""
        wait_until(lambda: self.run(run_id)["status"] in ENDED, seconds=seconds)
        return str(self.run(run_id)["status"])

    def runs(
        self, tags: Mapping[str, str] | None = None, job: str | None = None
    ) -> list[dict[str, Any]]:
        """Newest first."""
        query = """query($filter: RunsFilter!) { runsOrError(filter: $filter) {
          ... on Runs { results { runId jobName status tags { key value } } } } }"""
        wanted = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        found = self.ask(query, filter={"tags": wanted, "pipelineName": job})
        return list(found["runsOrError"]["results"])

    def events(self, run_id: str) -> list[Event]:
        answer = self.ask(EVENTS, id=run_id)["logsForRun"]
        assert answer["__typename"] == "EventConnection", answer
        return list(answer["events"])

    def wait_for(
        self, run_id: str, right: Callable[[Event], bool], seconds: float = RUN_SECONDS
    ) -> Event:
        """The first such event. AssertionError if the run ends without one."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self.run(run_id)["status"] in ENDED
            if found := [event for event in self.events(run_id) if right(event)]:
                return found[0]
            assert not ended, [event["message"] for event in self.events(run_id)]
            assert time.monotonic() < deadline, "no such event"
            time.sleep(EVERY_SECONDS)

    def wait_for_step(self, run_id: str, step: str) -> None:
        self.wait_for(
            run_id,
            lambda event: (
                event["__typename"] == "ExecutionStepStartEvent" and event["stepKey"] == step
            ),
        )

    def wait_for_line(self, run_id: str, text: str) -> None:
        self.wait_for(run_id, lambda event: text in event["message"])

    def process_of(self, run_id: str) -> int:
        """The pid of its worker."""
        started = re.compile(r"Started process for run \(pid: (\d+)\)")
        event = self.wait_for(run_id, lambda event: bool(started.search(event["message"])))
        found = started.search(event["message"])
        assert found
        return int(found[1])

    def lines(self, run_id: str, step: str) -> list[str]:
        """What the step logged."""
        return [
            event["message"]
            for event in self.events(run_id)
            if event["stepKey"] == step and event["__typename"] == "LogMessageEvent"
        ]

    def metadata(self, run_id: str, step: str) -> dict[str, Any]:
        """What a person sees of the step: of its output, or of its failure."""
        found: dict[str, Any] = {}
        for event in self.events(run_id):
            if event["stepKey"] == step:
                told = event.get("failureMetadata") or event
                found |= _entries(told.get("metadataEntries") or [])
        return found

    def failure(self, run_id: str) -> tuple[str, str]:
        """The step that failed, and its message."""
        for event in self.events(run_id):
            if event["__typename"] == "ExecutionStepFailureEvent":
                told = (event["failureMetadata"] or {}).get("description")
                causes = [cause["message"] for cause in event["error"]["causes"]]
                return event["stepKey"], told or "".join(causes)
        raise AssertionError("no step has failed")

    def steps(self, run_id: str) -> list[str]:
        """Those that were started, in order."""
        return [
            event["stepKey"]
            for event in self.events(run_id)
            if event["__typename"] == "ExecutionStepStartEvent"
        ]

    def seconds(self, run_id: str, step: str) -> float:
        """From the step's start to its end."""
        times = [
            float(event["timestamp"]) / 1000
            for event in self.events(run_id)
            if event["stepKey"] == step and event["__typename"].startswith("ExecutionStep")
        ]
        return max(times) - min(times)

    def history(self, service: str) -> list[dict[str, Any]]:
        """The materializations of [service, "live"], oldest first: metadata, with `run_id`."""
        asset = self.ask(MATERIALIZATIONS, key={"path": [service, "live"]})["assetOrError"]
        if asset["__typename"] != "Asset":
            return []
        found = sorted(asset["assetMaterializations"], key=lambda each: float(each["timestamp"]))
        return [{**_entries(each["metadataEntries"]), "run_id": each["runId"]} for each in found]


def _job(name: str) -> dict[str, str]:
    return {
        "repositoryLocationName": LOCATION,
        "repositoryName": REPOSITORY,
        "jobName": name,
    }


def _entries(entries: list[dict[str, Any]]) -> dict[str, Any]:
    found = {}
    for entry in entries:
        values = [
            value for key, value in entry.items() if key not in ("label", "description", "table")
        ]
        if entry.get("table"):
            values = [entry["table"]["records"]]
        found[entry["label"]] = values[0] if values else None
    return found
