"""An Envoy that was stopped, that refuses its file, or that has a slow request to wait for."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gp_pipelines.errors import TargetUnavailable
from gp_pipelines.model import Color
from gp_pipelines.targets.local import envoy_routing, routes_file
from gp_pipelines_tests.contract.examples import a_slot, bring_up, switch_to, write_next
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.targets.local.live_stack import LiveStack
from gp_pipelines_tests.targets.local.local_subject import LocalSubject

ENVOYS_OWN_TIMEOUT = 15  # seconds a route has if its configuration says nothing


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """Not the one of the contract's tests: its Envoy is stopped."""
    with LiveStack(tmp_path_factory.mktemp("trouble")) as stack:
        yield stack


@pytest.fixture
def subject(stack: LiveStack) -> Iterator[LocalSubject]:
    """With v1 live."""
    with stack.new_service() as subject:
        slot = a_slot(subject, Color.BLUE)
        bring_up(subject, slot)
        switch_to(subject.target, slot)
        yield subject


def serves(subject: LocalSubject) -> str | None:
    return subject.target.entrance.ask("/health", fresh=1, kept_alive=0)[0].version


def test_while_it_is_stopped_nothing_is_released_and_afterwards_it_serves_as_before(
    stack: LiveStack, subject: LocalSubject
) -> None:
    before = subject.target.traffic.read()
    stack.stop_envoy()
    try:
        with pytest.raises(TargetUnavailable, match="Envoy does not answer") as down:
            subject.target.require_up()
        assert "gp up" in down.value.advice
        assert serves(subject) is None
        assert subject.target.traffic.read().record == before.record
    finally:
        stack.start_envoy()
    wait_until(lambda: serves(subject) == "v1")
    subject.target.require_up()
    assert subject.target.traffic.in_force(before.record)


def test_a_file_that_it_refuses_moves_nothing_and_is_told(
    stack: LiveStack, subject: LocalSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = envoy_routing.route_config

    def refused(*arguments: Any) -> dict[str, Any]:
        document = render(*arguments)
        (route,) = document["resources"][0]["virtual_hosts"][0]["routes"]
        route["route"]["timeout"] = "some time"
        return document

    good = subject.target.traffic.read().record
    monkeypatch.setattr(routes_file, "route_config", refused)
    monkeypatch.setattr("gp_pipelines.targets.local.traffic_store.REFUSED_AFTER_SECONDS", 0.0)
    bad = write_next(subject.target, good)
    wait_until(lambda: stack.envoy.failed_updates(subject.service))
    with pytest.raises(TargetUnavailable, match="Envoy does not take up") as told:
        subject.target.traffic.in_force(bad.record)
    assert "envoy.log" in told.value.advice
    assert serves(subject) == "v1"
    monkeypatch.undo()
    switch_to(subject.target, good.live)
    assert serves(subject) == "v1"


def test_a_request_that_takes_longer_than_its_own_timeout_is_not_cut(
    subject: LocalSubject,
) -> None:
    url = f"{subject.target.entrance.url}/slow?seconds={ENVOYS_OWN_TIMEOUT + 2}"
    answer = httpx.get(url, timeout=60, trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"version": "v1"})
