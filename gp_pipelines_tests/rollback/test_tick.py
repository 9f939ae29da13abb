"""One tick over many services: whatever is wrong with one of them, the next one is served."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gp_pipelines.alerts.contract import Alert, FeedUnreadable
from gp_pipelines.rollback import tick as tick_module
from gp_pipelines.rollback.cursor import Cursor, FeedSeen, understood
from gp_pipelines.rollback.readings import Readings
from gp_pipelines.rollback.tick import AGAIN_SECONDS, MOST_NOTES, Tick
from gp_pipelines.rollback.watch import Launched, Memory, look
from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.rollback.watched import ScriptedFeed, WatchedServices, an_alert, watched

NOW = 1_000_000.0
WILD = 'a\nb "ünïcödé" 🏴‍☠️ password=hunter2 \x1b[31m {{ x }} %s ' + "long " * 200


def a_tick(platforms: WatchedServices, cursor: str | None = None) -> Tick:
    """All its feeds have been read once."""
    readings = Readings(platforms.feeds, platforms.services.names)
    readings.refresh()
    states = [state for states in readings.states.values() for state in states]
    wait_until(lambda: all(state.reading and state.reading.done() for state in states), every=0.005)
    return Tick(platforms, readings, cursor)  # type: ignore[arg-type]


def firing(platforms: WatchedServices, name: str, **fields: Any) -> ScriptedFeed:
    feed = ScriptedFeed((an_alert(platforms.worlds[name], **fields),))
    platforms.sources[name] = [feed]
    return feed


def _wrong() -> tuple[Alert, ...]:
    raise ValueError(f"no such thing: {WILD}")


def _unreadable() -> tuple[Alert, ...]:
    raise FeedUnreadable("it answers 500")


@pytest.fixture
def ended() -> Iterator[threading.Event]:
    """What hangs goes on when this is set."""
    event = threading.Event()
    yield event
    event.set()


def test_each_service_with_an_alert_is_wanted() -> None:
    platforms = watched("api", "web", "quiet")
    for name in ("api", "web"):
        firing(platforms, name)
    tick = a_tick(platforms)
    assert tick.look(NOW)
    assert [wanted.service for wanted in tick.wanted] == ["api", "web"]
    assert tick.notes == []


def test_ten_thousand_alerts_of_a_hundred_services_are_judged() -> None:
    names = [f"api-{number}" for number in range(100)]
    platforms = watched(*names)
    for name in names:
        world = platforms.worlds[name]
        early = [an_alert(world, -n, {"pod": WILD}, fingerprint=f"f{n}") for n in range(1, 100)]
        platforms.sources[name] = [ScriptedFeed((*early, an_alert(world)))]
    tick = a_tick(platforms)
    assert tick.look(NOW)
    assert [wanted.service for wanted in tick.wanted] == names


def test_ten_thousand_alerts_of_one_service_leave_the_next_one_its_turn() -> None:
    platforms = watched("api", "web")
    world = platforms.worlds["api"]
    many = tuple(an_alert(world, -n, {"alertname": WILD}) for n in range(1, 10_001))
    platforms.sources["api"] = [ScriptedFeed(many)]
    firing(platforms, "web")
    tick = a_tick(platforms)
    assert tick.look(NOW)
    assert [wanted.service for wanted in tick.wanted] == ["web"]
    assert tick.notes == ["api: 10000 alerts: it began before the switch"]


def test_a_feed_that_cannot_be_read_is_unknown_and_its_neighbour_is_acted_on() -> None:
    platforms = watched("api", "web")
    world = platforms.worlds["api"]
    platforms.sources["api"] = [
        ScriptedFeed(how=_unreadable),
        ScriptedFeed((an_alert(world),), name="probe"),
    ]
    platforms.sources["web"] = [ScriptedFeed(how=_wrong)]
    tick = a_tick(platforms)
    assert tick.look(NOW)
    assert [wanted.service for wanted in tick.wanted] == ["api"]
    assert tick.notes == [
        "api: alertmanager is UNKNOWN: it answers 500",
        "web: alertmanager is UNKNOWN: ValueError: it could not be read",
    ]


def test_what_a_feed_said_before_it_became_unknown_does_not_fire_on() -> None:
    platforms = watched("api")
    feed = firing(platforms, "api", after=-1)
    readings = Readings(platforms.feeds, ("api",))
    (state,) = readings.states["api"]
    _read_again(readings)
    assert len(readings.alerts("api")) == 1
    feed.how = _unreadable
    _read_again(readings)
    assert readings.alerts("api") == ()
    assert (state.read_at is not None, state.error) == (True, "it answers 500")


def _read_again(readings: Readings) -> None:
    (state,) = readings.states["api"]
    state.begun = -1e9
    readings.refresh()
    wait_until(lambda: state.reading and state.reading.done(), every=0.005)
    readings.refresh()


def test_feeds_that_hang_hold_up_nobody_else(ended: threading.Event) -> None:
    def hang() -> tuple[Alert, ...]:
        ended.wait()
        return ()

    hanging = [f"slow-{number}" for number in range(40)]
    platforms = watched(*hanging, "api")
    for name in hanging:
        platforms.sources[name] = [ScriptedFeed(how=hang)]
    firing(platforms, "api")
    tick = Tick(platforms, Readings(platforms.feeds, platforms.services.names), None)  # type: ignore[arg-type]
    wait_until(lambda: tick.look(time.time()), every=0.01)
    assert [wanted.service for wanted in tick.wanted] == ["api"]


def test_a_target_that_cannot_be_read_does_not_stop_the_next_service() -> None:
    platforms = watched("api", "web")
    for name in ("api", "web"):
        firing(platforms, name)
    platforms.worlds["api"].unavailable = True
    tick = a_tick(platforms)
    assert tick.look(NOW)
    assert [wanted.service for wanted in tick.wanted] == ["web"]
    assert tick.notes == ["api: CANNOT BE JUDGED: the target cannot be reached"]


def test_an_error_of_ours_with_one_service_does_not_stop_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platforms = watched("api", "web")
    for name in ("api", "web"):
        firing(platforms, name)

    def wrong(platform: Any, *rest: Any) -> Any:
        if platform.service.name == "api":
            raise KeyError(WILD)
        return look(platform, *rest)

    monkeypatch.setattr(tick_module, "look", wrong)
    tick = a_tick(platforms)
    assert tick.look(NOW)
    assert [wanted.service for wanted in tick.wanted] == ["web"]
    (note,) = tick.notes
    assert note.startswith("api: CANNOT BE JUDGED: KeyError: ")
    assert "hunter2" not in note
    assert note.isprintable()
    assert len(note) < 400


def test_the_notes_are_not_more_than_anybody_reads() -> None:
    names = [f"api-{number}" for number in range(MOST_NOTES + 7)]
    platforms = watched(*names)
    for name in names:
        firing(platforms, name, after=-1)
    tick = a_tick(platforms)
    assert not tick.look(NOW)
    assert len(tick.notes) == MOST_NOTES + 1
    assert tick.notes[-1] == "and 7 more"


def test_a_service_is_looked_at_again_though_no_alert_is_new() -> None:
    """The target may say something else by now."""
    platforms = watched("api", debounce_seconds=30)
    firing(platforms, "api", after=200)
    tick = a_tick(platforms)
    assert not tick.look(NOW)
    platforms.worlds["api"].seconds += 60
    assert not tick.look(NOW + AGAIN_SECONDS / 2)
    assert tick.look(NOW + AGAIN_SECONDS)


def test_what_was_launched_is_remembered_by_the_next_tick() -> None:
    platforms = watched("api")
    firing(platforms, "api")
    first = a_tick(platforms)
    assert first.look(NOW)
    second = a_tick(platforms, first.cursor)
    assert not second.look(NOW + 1)
    assert second.notes == ["api: a run was launched for it just now"]


def test_the_cursor_tells_when_each_feed_was_read_and_why_not() -> None:
    platforms = watched("api")
    firing(platforms, "api", after=-1)
    platforms.sources["api"].append(ScriptedFeed(how=_unreadable, name="probe"))
    before = time.time()
    tick = a_tick(platforms)
    tick.look(NOW)
    feeds = understood(tick.cursor).feeds["api"]
    assert feeds["probe"] == FeedSeen(None, "it answers 500")
    assert feeds["alertmanager"].error == ""
    assert (feeds["alertmanager"].read_at or 0) >= before
    assert feeds["guards"] == FeedSeen(NOW)


def test_the_cursor_tells_since_when_a_service_cannot_be_judged() -> None:
    platforms = watched("api")
    first = a_tick(platforms)
    first.look(NOW)
    platforms.worlds["api"].unavailable = True
    second = a_tick(platforms, first.cursor)
    second.look(NOW + 30)
    seen = understood(second.cursor).feeds["api"]["guards"]
    assert seen == FeedSeen(NOW, "the target cannot be reached")


def test_a_cursor_comes_back_as_it_was() -> None:
    memory = Memory({"release-2": Launched(2, NOW)}, 4, None, NOW, ["f1:2026-02-03T04:05:06"])
    cursor = Cursor({"api": memory}, {"api": {"probe": FeedSeen(None, "it answers 500")}})
    assert understood(cursor.text) == cursor


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "[]", "7", "no JSON at all", '"', "{", "\0", "[" * 100_000),
        json.dumps({"services": [], "feeds": 7}),
        json.dumps({"services": {"api": None}}),
        json.dumps({"services": {"api": {"launched": {"release-2": {"count": "often"}}}}}),
        json.dumps({"services": {"api": {"launched": {"release-2": 3}}}}),
        json.dumps({"services": {"api": {"told": 7, "since": "yesterday"}}}),
        json.dumps({"feeds": {"api": {"guards": "well"}}}),
    ],
)
def test_a_cursor_that_cannot_be_understood_is_forgotten(text: str | None) -> None:
    assert understood(text) == Cursor()
    platforms = watched("api")
    firing(platforms, "api")
    tick = a_tick(platforms, text)
    assert tick.look(NOW)
    assert understood(tick.cursor).services["api"].launched


def test_a_cursor_of_another_version_keeps_what_this_one_knows() -> None:
    """One with other fields, and of services that are gone, or were not there yet."""
    known = {"launched": {"release-2": {"count": 1, "at": NOW, "by": "ann"}}, "more": [1]}
    text = json.dumps({"at": 7, "services": {"api": known, "gone": {}}, "since": "1.0"})
    platforms = watched("api", "new")
    for name in ("api", "new"):
        firing(platforms, name)
    tick = a_tick(platforms, text)
    assert tick.look(NOW + 1)
    assert [wanted.service for wanted in tick.wanted] == ["new"]
    assert understood(tick.cursor).services.keys() == {"api", "new"}
