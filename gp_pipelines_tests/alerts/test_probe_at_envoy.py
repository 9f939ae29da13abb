"""The probe at a real entrance, of a version that fails its users, and of one that is dead."""

from collections.abc import Iterator

import httpx
import pytest

from gp_pipelines.alerts.contract import Alert, FeedUnreadable
from gp_pipelines.alerts.probe import ProbeFeed
from gp_pipelines.model import Color, Slot
from gp_pipelines.services import Alerts, Probe
from gp_pipelines_tests.contract.examples import a_slot, bring_up, put_behind, switch_to
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.targets.local.live_stack import LiveStack
from gp_pipelines_tests.targets.local.local_subject import LocalSubject


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    with LiveStack(tmp_path_factory.mktemp("probe")) as stack:
        yield stack


@pytest.fixture
def subject(stack: LiveStack) -> Iterator[LocalSubject]:
    with stack.new_service() as subject:
        yield subject


def live(subject: LocalSubject, color: Color, version: str) -> Slot:
    slot = a_slot(subject, color, version)
    bring_up(subject, slot)
    switch_to(subject.target, slot)
    return slot


def probe_of(subject: LocalSubject) -> ProbeFeed:
    alerts = Alerts(probe=Probe(minimum_requests=20))
    return ProbeFeed(subject.definition.model_copy(update={"alerts": alerts}), subject.target)


def firing(feed: ProbeFeed, name: str) -> list[Alert]:
    return [alert for alert in feed.read() if alert.name == name]


def ask(subject: LocalSubject, path: str, times: int) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(times):
            client.get(subject.target.entrance.url + path)


def test_a_version_that_fails_its_users_is_noticed_while_it_is_healthy(
    subject: LocalSubject,
) -> None:
    live(subject, Color.BLUE, "v1")
    bad = live(subject, Color.GREEN, "v4")
    feed = probe_of(subject)
    assert feed.read() == ()
    ask(subject, "/health", 30)
    ask(subject, "/fails", 10)
    wait_until(lambda: firing(feed, "HighErrorRate"))
    (alert,) = feed.read()
    assert alert.labels["release_id"] == bad.release_id
    assert "10 of 40 requests failed" in alert.annotations["summary"]


def test_requests_that_succeed_alert_nobody(subject: LocalSubject) -> None:
    live(subject, Color.BLUE, "v1")
    feed = probe_of(subject)
    feed.read()
    ask(subject, "/health", 60)
    seen = subject.target.entrance.counts()[Color.BLUE].total
    # Until its own health check has been asked twice more, so that it has looked again.
    wait_until(
        lambda: (feed.read(), subject.target.entrance.counts()[Color.BLUE].total >= seen + 2)[1]
    )
    assert feed.read() == ()


def test_a_version_that_is_dead_is_noticed_without_any_user(subject: LocalSubject) -> None:
    dead = a_slot(subject, Color.BLUE, "v1")
    put_behind(subject.target, dead)  # nothing listens there
    switch_to(subject.target, dead)
    feed = probe_of(subject)
    wait_until(lambda: firing(feed, "HealthCheckFailure"))
    assert not firing(feed, "HighErrorRate"), "the probe's own requests are not users'"


def test_without_an_entrance_it_is_not_known_whether_anything_fails(
    stack: LiveStack, subject: LocalSubject
) -> None:
    live(subject, Color.BLUE, "v1")
    feed = probe_of(subject)
    stack.stop_envoy()
    try:
        with pytest.raises(FeedUnreadable, match="Envoy does not answer") as unread:
            feed.read()
        assert "gp up" in unread.value.advice
    finally:
        stack.start_envoy()
    wait_until(lambda: feed.read() == ())
