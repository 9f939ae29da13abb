"""What the probe makes of the entrance's counters and of the health check, by script."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gp_pipelines.alerts.contract import Alert, FeedUnreadable
from gp_pipelines.alerts.probe import FORGET_AFTER_SECONDS, ProbeFeed
from gp_pipelines.model import Color, Slot
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Answer, RequestCounts
from gp_pipelines_tests.faults.fake_target import BEGINNING, FakeTarget, World

V1 = Slot("api-blue-1", "release-1", 1, "v1", "sha256:1", "c", Color.BLUE, 2)
V2 = Slot("api-green-2", "release-2", 2, "v2", "sha256:2", "c", Color.GREEN, 2)
GOOD = Answer(True, 200, V2.release_id, "v2", 0.001)
BAD = Answer(False, 503, V2.release_id, "v2", 0.001, "status 503: sick")
NOBODY = Answer(False, 503, None, None, 0.001, "status 503: no healthy upstream")
SILENT = Answer(False, 0, None, None, 5.0, "no answer")


class Scene:
    """v2 has just gone live. Each `after` lets time go by, with users' requests, and reads."""

    def __init__(self, **probe: float) -> None:
        self.world = World("api")
        self.target = FakeTarget(self.world)
        self.health: Answer = GOOD
        self.asked: list[float] = []
        self.hanging: list[Callable[[], None]] | None = None  # asked, and not answered yet
        self.target.entrance.ask = self._ask  # type: ignore[method-assign, assignment]
        self.service = a_service(**probe)
        self.feed = self.open()
        self.switch(V2)

    def open(self) -> ProbeFeed:
        """As another process would."""
        return ProbeFeed(
            self.service,
            self.target,
            clock=lambda: self.world.seconds,
            background=lambda ask: ask() if self.hanging is None else self.hanging.append(ask),
        )

    def switch(self, slot: Slot) -> None:
        before = self.world.record
        self.world.record = replace(
            before, live=slot, previous=before.live, switched_at=self.world.now
        )

    def count(self, requests: int, failed: int = 0, color: Color = Color.GREEN) -> None:
        before = self.world.counts.get(color, RequestCounts(0, 0))
        self.world.counts[color] = RequestCounts(before.total + requests, before.failed + failed)

    def after(self, seconds: float, requests: int = 0, failed: int = 0) -> dict[str, Alert]:
        self.world.seconds += seconds
        self.count(requests, failed)
        return {alert.name: alert for alert in self.feed.read()}

    def _ask(self, path: str, *, fresh: int, kept_alive: int) -> tuple[Answer, ...]:
        assert (path, fresh, kept_alive) == ("/healthz", 1, 0)
        self.asked.append(self.world.seconds)
        if self.health.status:
            self.count(1, int(self.health.status >= 500))
        return (self.health,)


@pytest.fixture
def scene() -> Scene:
    """One that has been read once, at the switch."""
    scene = Scene(window_seconds=10, minimum_requests=20, error_ratio=0.1, health_failures=3)
    assert scene.after(0) == {}
    return scene


def a_service(**probe: float) -> Service:
    return Service.model_validate(
        {
            "name": "api",
            "artifact": {"kind": "wheel", "source": Path()},
            "command": ["serve"],
            "health": "/healthz",
            "identity": {"path": "/identity"},
            "smoke": {"checks": [{"path": "/"}]},
            "alerts": {"match": {"auto_rollback": "true", "team": "sea"}, "probe": probe},
        }
    )


def test_the_share_of_failed_requests_makes_an_alert_that_says_of_what(scene: Scene) -> None:
    assert scene.after(1, requests=100) == {}
    (alert,) = scene.after(1, requests=100, failed=50).values()
    assert alert.labels == {
        "alertname": "HighErrorRate",
        "service": "api",
        "release_id": "release-2",
        "color": "green",
        "version": "v2",
        "auto_rollback": "true",
        "team": "sea",
    }
    assert "v2 (#2, green) of api: 50 of 200 requests failed" in alert.annotations["summary"]
    assert alert.annotations["ratio"] == "0.250"
    assert (alert.feed, alert.resolved, alert.launched) == ("probe", False, None)
    assert alert.starts_at == alert.seen_at == BEGINNING + timedelta(seconds=2)


@pytest.mark.parametrize(("failed", "fires"), [(9, False), (10, True)])
def test_it_fires_from_the_configured_share_on(scene: Scene, failed: int, fires: bool) -> None:
    assert bool(scene.after(1, requests=100, failed=failed)) == fires


@pytest.mark.parametrize(("requests", "fires"), [(19, False), (20, True)])
def test_fewer_requests_than_the_minimum_prove_nothing(
    scene: Scene, requests: int, fires: bool
) -> None:
    assert bool(scene.after(1, requests, failed=requests)) == fires


def test_its_own_health_checks_are_not_users_requests(scene: Scene) -> None:
    for _ in range(30):
        scene.after(0.3)
    assert len(scene.asked) > 5
    assert scene.after(0.3, requests=19, failed=19) == {}
    assert scene.after(0.3, requests=1, failed=1)


def test_nor_is_one_whose_answer_is_still_on_its_way(scene: Scene) -> None:
    """The entrance has counted it, and the probe does not know yet that it was its own."""
    scene.hanging = []
    scene.after(1)
    seen: list[dict[str, Alert]] = []

    def on_its_way(path: str, *, fresh: int, kept_alive: int) -> tuple[Answer, ...]:
        scene.count(1, 1)
        seen.append(scene.after(0.3, requests=19, failed=19))
        return (BAD,)

    scene.target.entrance.ask = on_its_way  # type: ignore[method-assign, assignment]
    (ask,) = scene.hanging
    ask()
    assert seen == [{}]
    assert scene.after(0.3) == {}
    assert scene.after(0.3, requests=1, failed=1)


def test_it_looks_as_far_back_as_the_window_and_no_further(scene: Scene) -> None:
    assert scene.after(1, requests=30, failed=3)
    for _ in range(8):
        assert scene.after(1)
    assert scene.after(1), "the sample before the failures is just at the edge"
    assert scene.after(1) == {}
    assert scene.after(1, requests=30) == {}, "what failed is no longer counted"


def test_good_requests_of_long_ago_do_not_hide_bad_ones(scene: Scene) -> None:
    for _ in range(20):
        assert scene.after(1, requests=100) == {}
    assert scene.after(1, requests=100, failed=99) == {}
    assert scene.after(1, requests=100, failed=100)


def test_an_alert_stays_the_same_while_it_fires_and_another_episode_is_another_one(
    scene: Scene,
) -> None:
    (first,) = scene.after(1, 100, 100).values()
    (second,) = scene.after(1, 100, 100).values()
    assert (first.fingerprint, first.starts_at) == (second.fingerprint, second.starts_at)
    for _ in range(20):
        quiet = scene.after(1, 100, 0)
    assert quiet == {}
    (third,) = scene.after(1, 500, 500).values()
    assert third.fingerprint == first.fingerprint
    assert third.starts_at > first.starts_at


def test_another_process_gives_the_alert_the_same_fingerprint(scene: Scene) -> None:
    scene.feed, others = scene.open(), scene.feed
    scene.after(1)
    (ours,) = scene.after(1, 100, 100).values()
    (theirs,) = others.read()
    assert (ours.fingerprint, ours.labels) == (theirs.fingerprint, theirs.labels)


def test_the_onset_is_when_the_first_failure_was_seen(scene: Scene) -> None:
    scene.after(1, requests=10)
    scene.after(1, requests=10, failed=1)
    assert scene.after(1, requests=10, failed=1) == {}
    (alert,) = scene.after(1, requests=10, failed=5).values()
    assert datetime.fromisoformat(alert.annotations["onset"]) == BEGINNING + timedelta(seconds=2)
    assert alert.starts_at == BEGINNING + timedelta(seconds=4)


def test_failures_from_before_the_switch_are_nothing_to_the_new_version(scene: Scene) -> None:
    assert scene.after(1, requests=100, failed=100)
    scene.switch(V1)
    assert scene.after(1) == {}
    scene.count(19, 0, Color.BLUE)
    assert scene.after(1, requests=100, failed=100) == {}, "the old color's"
    scene.count(100, 100, Color.BLUE)
    (alert,) = scene.after(1).values()
    assert alert.labels["release_id"] == V1.release_id
    assert scene.world.record.switched_at
    assert alert.starts_at > scene.world.record.switched_at


def test_what_a_color_failed_before_it_went_live_does_not_count(scene: Scene) -> None:
    scene.count(100, 100, Color.BLUE)  # at its preview
    scene.switch(V1)
    assert scene.after(1) == {}
    assert scene.after(1) == {}


def test_the_same_release_going_live_again_begins_anew(scene: Scene) -> None:
    assert scene.after(1, 100, 100)
    scene.world.seconds += 1
    scene.switch(V2)
    assert scene.after(1, 100, 100) == {}


def test_an_entrance_that_was_started_anew_begins_anew(scene: Scene) -> None:
    scene.after(1, requests=1000, failed=10)
    scene.world.counts = {Color.GREEN: RequestCounts(40, 30)}
    assert scene.after(1) == {}
    assert scene.after(1, requests=20, failed=20)


def test_after_a_long_time_without_a_look_it_begins_anew(scene: Scene) -> None:
    assert scene.after(FORGET_AFTER_SECONDS, requests=100, failed=100)
    assert scene.after(FORGET_AFTER_SECONDS + 1, requests=100, failed=100) == {}


def test_health_checks_that_fail_in_a_row_make_an_alert(scene: Scene) -> None:
    scene.after(1)
    scene.health = BAD
    assert scene.after(1) == {}
    assert scene.after(1) == {}
    scene.after(1)
    (alert,) = scene.after(0.3).values()
    assert alert.name == "HealthCheckFailure"
    assert "GET /healthz failed 3 times in a row: status 503" in alert.annotations["summary"]
    assert datetime.fromisoformat(alert.annotations["onset"]) == BEGINNING + timedelta(seconds=2)
    scene.health = GOOD
    scene.after(1)
    assert scene.after(0.3) == {}


def test_one_good_health_check_begins_the_row_anew(scene: Scene) -> None:
    for answer in (BAD, BAD, GOOD, BAD, BAD):
        scene.health = answer
        assert scene.after(1) == {}
    assert scene.after(0.3) == {}


@pytest.mark.parametrize("answer", [BAD, NOBODY, SILENT])
def test_a_version_that_fails_or_died_or_is_silent_is_not_healthy(
    scene: Scene, answer: Answer
) -> None:
    scene.health = answer
    found: dict[str, Alert] = {}
    for _ in range(5):
        found = scene.after(1)
    assert set(found) == {"HealthCheckFailure"}


def test_the_health_of_another_version_is_not_the_live_ones(scene: Scene) -> None:
    scene.health = replace(BAD, release_id=V1.release_id)
    for _ in range(5):
        assert scene.after(1) == {}


def test_a_health_check_that_hangs_holds_nobody_up_and_is_not_asked_twice(scene: Scene) -> None:
    scene.hanging = []
    for _ in range(5):
        assert scene.after(1) == {}
    assert len(scene.hanging) == 1


def test_failures_of_the_version_before_are_forgotten_with_the_switch(scene: Scene) -> None:
    scene.health = BAD
    for _ in range(5):
        firing = scene.after(1)
    assert firing
    scene.switch(V1)
    assert scene.after(0.3) == {}


def test_health_is_asked_once_a_second_however_often_it_is_read(scene: Scene) -> None:
    scene.asked.clear()
    for _ in range(100):
        scene.after(0.05)
    assert 4 <= len(scene.asked) <= 5


def test_a_read_soon_after_another_looks_at_nothing(scene: Scene) -> None:
    scene.world.unavailable = True
    scene.feed.read()
    scene.world.seconds += 1
    with pytest.raises(FeedUnreadable):
        scene.feed.read()


def test_what_cannot_be_read_is_unknown_and_an_alert_goes_on_afterwards(scene: Scene) -> None:
    (before,) = scene.after(1, 100, 100).values()
    scene.world.unavailable = True
    for _ in range(2):
        with pytest.raises(FeedUnreadable, match="of api: the target cannot be reached"):
            scene.after(1)
    scene.world.unavailable = False
    (after,) = scene.after(1).values()
    assert after == before


def test_where_nothing_is_live_nothing_fires() -> None:
    scene = Scene()
    scene.world.record = replace(scene.world.record, live=None, switched_at=None)
    assert scene.after(1, 100, 100) == {}
    assert scene.after(1, 100, 100) == {}
    assert not scene.asked
