"""Run a service's smoke checks against one address, and say of each what it found.

Every check runs in every round; a check that has failed once has failed. What could not be asked
(no answer, not JSON) is a failure, never a pass.
"""

import time
from dataclasses import dataclass

import httpx

from gp_pipelines.errors import StepFailed, quoted
from gp_pipelines.model import Progress
from gp_pipelines.services import Check, Smoke


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check over all rounds."""

    check: str  # GET /health
    passed: bool
    median_ms: float
    slowest_ms: float
    detail: str  # the first thing that was wrong


def run_checks(
    base_url: str, smoke: Smoke, version: str, timeout: float, progress: Progress
) -> tuple[CheckResult, ...]:
    """Ask all checks `smoke.repeat` times. Raises `StepFailed` listing those that failed."""
    deadline = time.monotonic() + timeout
    times: dict[int, list[float]] = {i: [] for i in range(len(smoke.checks))}
    wrong: dict[int, str] = {}
    # A proxy that the environment names must not get between: it would be checked as well.
    with httpx.Client(base_url=base_url, timeout=min(timeout, 10.0), trust_env=False) as client:
        for round_number in range(1, smoke.repeat + 1):
            for index, check in enumerate(smoke.checks):
                if time.monotonic() > deadline:
                    wrong.setdefault(index, f"not done within {timeout:g} s")
                    continue
                started = time.monotonic()
                problem = _ask(client, check, version)
                times[index].append((time.monotonic() - started) * 1000)
                if problem:
                    wrong.setdefault(index, problem)
            progress(
                f"round {round_number}/{smoke.repeat}: {len(smoke.checks) - len(wrong)} of "
                f"{len(smoke.checks)} checks pass"
            )
            if wrong:
                break
    results = tuple(
        _result(check, times[index], wrong.get(index, ""))
        for index, check in enumerate(smoke.checks)
    )
    if wrong:
        raise SmokeFailed(version, results)
    return results


class SmokeFailed(StepFailed):
    """`results` says of each check what it found."""

    def __init__(self, version: str, results: tuple[CheckResult, ...]) -> None:
        failed = [result for result in results if not result.passed]
        lines = "; ".join(f"{result.check}: {result.detail}" for result in failed)
        super().__init__(
            f"{version} failed {len(failed)} of {len(results)} smoke checks: {lines}.",
            state="Traffic is where it was.",
            advice="Correct the version, or its checks in services.yaml; then release it again.",
        )
        self.results = results


def _ask(client: httpx.Client, check: Check, version: str) -> str:
    """What is wrong with the answer to `check`, or nothing."""
    started = time.monotonic()
    try:
        answer = client.request(check.method, check.path, json=check.body)
    except httpx.HTTPError as error:
        return f"no answer ({type(error).__name__}: {error})"
    took_ms = (time.monotonic() - started) * 1000
    if answer.status_code != check.status:
        return f"status {answer.status_code}, expected {check.status}: {quoted(answer.text)}"
    if check.json_fields:
        try:
            body = answer.json()
        except ValueError:
            return f"the answer is not JSON: {quoted(answer.text)}"
        for field, expected in check.json_fields.items():
            if isinstance(expected, str):
                expected = expected.replace("{version}", version)
            found = body.get(field) if isinstance(body, dict) else None
            if found != expected:
                return f"{field} is {quoted(str(found))}, expected {expected!r}"
    if check.max_ms is not None and took_ms > check.max_ms:
        return f"took {took_ms:.0f} ms, at most {check.max_ms:g} ms are allowed"
    return ""


def _result(check: Check, times: list[float], problem: str) -> CheckResult:
    ordered = sorted(times) or [0.0]
    return CheckResult(
        check=f"{check.method} {check.path}",
        passed=not problem,
        median_ms=ordered[len(ordered) // 2],
        slowest_ms=ordered[-1],
        detail=problem,
    )
