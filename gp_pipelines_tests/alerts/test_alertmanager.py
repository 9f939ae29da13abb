"""Alertmanager is asked for what fires; an answer that is wrong is unknown, never healthy."""

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gp_pipelines.alerts import alertmanager
from gp_pipelines.alerts.alertmanager import AlertmanagerFeed
from gp_pipelines.alerts.contract import Alert, Feed, FeedUnreadable
from gp_pipelines.alerts.sent_alert import fingerprint
from gp_pipelines.errors import ConfigInvalid
from gp_pipelines.services import Alertmanager
from gp_pipelines_tests.alerts.examples import BEGAN, labels, sent, service
from gp_pipelines_tests.alerts.stand_in import Answering, sends, standing_in

# What a label may hold, and what would end a matcher, a header or a line of a log.
WILD = 'a "quoted" \\ value,\nof two lines: ünïcödé 🏴‍☠️ {x="y"} %s'


def test_what_fires_is_read_with_all_that_is_known_of_it() -> None:
    (alert,) = _read(_answer(sent(startsAt="2026-08-01T14:00:00.123456789+02:00")))
    assert (alert.feed, alert.name) == ("alertmanager", "HighErrorRate")
    assert alert.fingerprint == fingerprint(labels())
    assert alert.labels == labels()
    assert alert.annotations == {"summary": "many errors"}
    assert alert.starts_at == datetime(2026, 8, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert not alert.resolved
    assert alert.launched is None


def test_only_what_is_active_and_matches_is_asked_for() -> None:
    with standing_in(_answer()) as stand_in:
        wild = service(match={"team": WILD, "auto_rollback": "true"})
        assert _feed(stand_in.url, wild).read() == ()
    (request,) = stand_in.requests
    path = urlsplit(request.split()[1].decode())
    assert path.path == "/api/v2/alerts"
    asked = parse_qsl(path.query, strict_parsing=True)
    assert set(asked[:4]) == {
        ("active", "true"),
        ("silenced", "false"),
        ("inhibited", "false"),
        ("unprocessed", "false"),
    }
    escaped = WILD.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert {value for name, value in asked[4:]} == {
        f'team="{escaped}"',
        'auto_rollback="true"',
        'service="api"',
    }


def test_a_name_that_old_alertmanagers_refuse_is_looked_for_here() -> None:
    dotted = service(match={"team.name": "crew"})
    answer = _answer(sent(labels=labels(**{"team.name": "crew"})), sent(labels=labels()))
    with standing_in(answer) as stand_in:
        (alert,) = _feed(stand_in.url, dotted).read()
    assert alert.labels["team.name"] == "crew"
    assert b"team.name" not in stand_in.requests[0]


@pytest.mark.parametrize(
    "other",
    [
        sent(status={"state": "suppressed", "silencedBy": ["1"], "inhibitedBy": []}),
        sent(status={"state": "unprocessed", "silencedBy": [], "inhibitedBy": []}),
        sent(status="active"),
        sent(labels=labels(service="other")),
        sent(labels=labels(auto_rollback="false")),
        sent(labels={"service": "api"}),
    ],
)
def test_an_alertmanager_that_does_not_filter_gets_nothing_launched(other: Any) -> None:
    assert _read(_answer(other)) == ()


def test_an_alert_is_known_since_it_was_read_first() -> None:
    with standing_in(_answer(sent())) as stand_in:
        feed = _feed(stand_in.url)
        first = feed.read()
        time.sleep(0.01)
        assert feed.read() == first
        stand_in.answering = _answer(sent(startsAt=(BEGAN + timedelta(seconds=1)).isoformat()))
        (again,) = feed.read()
        assert again.seen_at > first[0].seen_at


def test_labels_are_taken_as_they_are() -> None:
    wild = labels(message=WILD, password="password=hunter2", nul="\0")
    (alert,) = _read(_answer(sent(labels=wild)))
    assert alert.labels == wild


def test_ten_thousand_alerts_are_read() -> None:
    many = [sent(labels=labels(pod=f"pod-{n}")) for n in range(10_000)]
    assert len(_read(_answer(*many))) == 10_000


@pytest.mark.parametrize(
    ("malformed", "why"),
    [
        ("text", "an alert"),
        (None, "an alert"),
        (sent(labels=[]), "labels"),
        (sent(labels={}), "labels"),
        (sent(labels=labels(severity=5)), "labels.severity"),
        (sent(labels=labels(severity=None)), "labels.severity"),
        (sent(labels={f"l{n}": "x" for n in range(1000)}), "labels"),
        (sent(labels=labels(long="x" * 100_000)), "labels.long"),
        (sent(startsAt=None), "startsAt"),
        (sent(startsAt=1_700_000_000), "startsAt"),
        (sent(startsAt="1700000000"), "startsAt"),
        (sent(startsAt="yesterday"), "startsAt"),
        (sent(startsAt="2026-08-01T12:00:00"), "startsAt"),
        (sent(startsAt="2026-02-31T12:00:00Z"), "startsAt"),
        (sent(startsAt="0001-01-01T00:00:00+05:00"), "startsAt"),
        (sent(startsAt="9999-12-31T23:59:59-05:00"), "startsAt"),
        ({"labels": labels()}, "startsAt"),
    ],
)
def test_one_malformed_alert_is_left_out_and_the_good_ones_count(
    malformed: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        (alert,) = _read(_answer(malformed, sent()))
    assert alert.labels == labels()
    assert f"1 alerts left out: {why}" in caplog.text


def test_an_alert_from_the_future_is_left_out() -> None:
    """It would be younger than any switch."""
    future = (datetime.now(UTC) + timedelta(seconds=90)).isoformat()
    near = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    (alert,) = _read(_answer(sent(startsAt=future), sent(startsAt=near)))
    assert alert.starts_at.isoformat() == near


def test_where_no_alert_can_be_understood_nothing_is_known() -> None:
    assert "none can be understood: startsAt" in _unreadable(_answer(sent(startsAt="now")))


def test_a_server_error_is_unknown() -> None:
    assert "answered 500: out of pirates." in _unreadable(
        sends(b"out of\npirates", "500 Internal Server Error")
    )


def test_a_page_of_html_is_unknown() -> None:
    assert "what is no JSON: <html>" in _unreadable(sends(b"<html>Please log in</html>"))


def test_a_redirection_is_not_followed() -> None:
    answer = sends(b"", "302 Found", "Location: http://127.0.0.1:1/")
    assert "answered 302" in _unreadable(answer)


@pytest.mark.parametrize("body", [b'{"status": "success"}', b"null", b'"alerts"', b"7"])
def test_json_that_is_no_list_is_unknown(body: bytes) -> None:
    assert "no list of alerts" in _unreadable(sends(body))


def test_json_of_great_depth_is_unknown() -> None:
    assert "what is no JSON" in _unreadable(sends(b"[" * 1_000_000))


def test_half_a_body_is_unknown() -> None:
    body = json.dumps([sent()]).encode()

    def half(connection: socket.socket, ended: threading.Event) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body[: len(body) // 2])

    assert "gave no whole answer" in _unreadable(half)


def test_half_a_body_whose_length_nobody_said_is_unknown() -> None:
    body = json.dumps([sent(), sent()]).encode()

    def half(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body[: len(body) // 2])

    assert "what is no JSON" in _unreadable(half)


def _never(connection: socket.socket, ended: threading.Event) -> None:
    ended.wait(30)


def _dribbled_head(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not ended.wait(0.05):
        connection.sendall(b"x")


def _dribbled_body(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n[")
    while not ended.wait(0.05):
        connection.sendall(b" ")


@pytest.mark.parametrize("slow", [_never, _dribbled_head, _dribbled_body])
def test_an_answer_that_does_not_end_in_time_is_unknown(
    slow: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertmanager, "READ_SECONDS", 0.5)
    assert "not there within 0.5 s" in _unreadable(slow)


def test_nobody_who_listens_is_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FeedUnreadable, match="gave no whole answer: All connection attempts"):
        _feed(f"http://127.0.0.1:{port}").read()


@pytest.mark.parametrize(
    "url",
    ["http://[half:an:address", "http://a..b", "http://127.0.0.1:99999", "http://" + "x" * 300],
)
def test_an_address_that_is_none_is_unknown(url: str) -> None:
    with pytest.raises(FeedUnreadable, match="gave no whole answer"):
        _feed(url).read()


def test_an_endless_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertmanager, "MOST_BYTES", 100_000)
    assert "it is longer than 100000 bytes" in _unreadable(_answer(*[sent()] * 1000))


def test_a_packed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b"[" + b" " * 100_000_000 + b"]")
    assert "it is packed: gzip" in _unreadable(sends(bomb, "200 OK", "Content-Encoding: gzip"))


def test_a_proxy_of_the_environment_does_not_get_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert _read(_answer()) == ()


def test_the_token_is_sent_and_never_shown() -> None:
    with standing_in(sends(b"no", "403 Forbidden")) as stand_in:
        feed = AlertmanagerFeed(_service(stand_in.url), lambda: "s3cret-token\n")
        with pytest.raises(FeedUnreadable, match="answered 403") as caught:
            feed.read()
    assert b"\r\nAuthorization: Bearer s3cret-token\r\n" in stand_in.requests[0]
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["s3cret\nX-Other: 1", "s3crét"])
def test_a_token_that_cannot_be_sent_is_never_shown(token: str) -> None:
    feed = AlertmanagerFeed(_service("http://127.0.0.1:1"), lambda: token)
    with pytest.raises(FeedUnreadable, match="not one line of ASCII") as caught:
        feed.read()
    assert "s3cret" not in str(caught.value)


def test_without_its_token_it_is_unknown() -> None:
    def missing() -> str:
        raise ConfigInvalid("The token is not set.", advice="Set it.")

    with pytest.raises(FeedUnreadable, match="The token is not set"):
        AlertmanagerFeed(_service("http://127.0.0.1:1"), missing).read()


def test_a_password_in_its_address_is_never_shown() -> None:
    with pytest.raises(FeedUnreadable) as caught:
        _feed("http://me:hunter2@127.0.0.1:1").read()
    assert "hunter2" not in str(caught.value)


def _answer(*alerts: Any) -> Answering:
    return sends(json.dumps(alerts).encode())


def _service(url: str, like: Any = None) -> Any:
    found = like or service()
    alerts = found.alerts.model_copy(update={"alertmanager": Alertmanager(url=url)})
    return found.model_copy(update={"alerts": alerts})


def _feed(url: str, like: Any = None, read_token: Callable[[], str] | None = None) -> Feed:
    return AlertmanagerFeed(_service(url, like), read_token)


def _read(answering: Answering) -> tuple[Alert, ...]:
    with standing_in(answering) as stand_in:
        return _feed(stand_in.url).read()


def _unreadable(answering: Answering) -> str:
    with standing_in(answering) as stand_in, pytest.raises(FeedUnreadable) as caught:
        _feed(stand_in.url).read()
    assert "unknown" in caught.value.state
    return caught.value.what
