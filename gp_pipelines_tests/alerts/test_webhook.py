"""What is sent to the webhook, good and bad, and what is answered."""

import gzip
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge

from gp_pipelines.alerts import handover, webhook
from gp_pipelines.alerts.inbox import Inbox
from gp_pipelines.alerts.inbox_database import InboxUnavailable
from gp_pipelines.alerts.webhook import create_app
from gp_pipelines_tests.alerts.conftest import SERVICES, Accepted
from gp_pipelines_tests.alerts.examples import BEGAN, group, labels, plain
from gp_pipelines_tests.alerts.running_webhook import CREDENTIALS, Client, running
from gp_pipelines_tests.e2e.patience import wait_until

WILD = 'of two\nlines: "ünïcödé" 🏴‍☠️ \0 {{ x }} %s \x1b[31m'


# What is accepted


def test_what_alertmanager_sends_is_in_the_inbox_and_handed_on(
    client: Client, inbox: Inbox, accepted: Accepted
) -> None:
    both = group({"labels": labels(pod="1")}, {"labels": labels(pod="2")})
    answer = client.post(both)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2})
    found = inbox.firing("api")
    assert {each.labels["pod"] for each in found} == {"1", "2"}
    assert all(each.starts_at == BEGAN and each.feed == "webhook" for each in found)
    wait_until(lambda: accepted.calls, every=0.01)
    (handed_on,) = accepted.calls
    assert {each.labels["pod"] for each in handed_on} == {"1", "2"}


@pytest.mark.parametrize("way", ["bearer", "signed"])
def test_a_plain_alert_is_accepted(client: Client, inbox: Inbox, way: str) -> None:
    answer = client.post(plain()) if way == "bearer" else client.signed(plain())
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
    (found,) = inbox.firing("api")
    assert (found.labels, found.annotations) == (labels(), {"summary": "many errors"})
    assert found.starts_at == BEGAN


def test_a_resolved_alert_is_over(client: Client, inbox: Inbox) -> None:
    client.post(group({}))
    assert len(inbox.firing("api")) == 1
    client.post(group({"status": "resolved", "endsAt": datetime.now(UTC).isoformat()}))
    assert inbox.firing("api") == ()


def test_alertmanagers_repeats_are_no_replays_and_one_alert(client: Client, inbox: Inbox) -> None:
    assert [client.post(group({})).status_code for _ in range(3)] == [200, 200, 200]
    assert len(inbox.firing("api")) == 1


def test_the_same_alert_from_many_senders_at_once_is_one(client: Client, inbox: Inbox) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: client.post(group({})).status_code, range(64)))
    assert set(answers) == {200}
    assert len(inbox.firing("api")) == 1


def test_ten_thousand_alerts_at_once_are_accepted(client: Client, inbox: Inbox) -> None:
    text = {"description": "The share of failed requests is above 5 %. " * 8}
    many = [
        {
            "labels": labels(pod=f"pod-{n}", node=f"node-{n % 7}"),
            "annotations": text,
            "fingerprint": f"{n:016x}",
        }
        for n in range(10_000)
    ]
    answer = client.post(group(*many))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 10_000})
    assert len(inbox.firing("api")) == 10_000


def test_what_a_label_holds_is_kept_as_it_is_and_never_logged(
    client: Client, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    wild = labels(alertname=WILD, text="password=hunter2", url="https://me:hunter2@db/")
    with caplog.at_level(logging.DEBUG):
        assert client.post(plain(labels=wild, annotations={WILD: WILD})).status_code == 200
        named = labels(service="password=hunter2 \x1b[31m")
        assert client.post(plain(labels=named)).json()["left_out"] == 1
        assert (
            client.post(plain(labels={"service": "api", "password=hunter2": 5})).status_code == 422
        )
    (found,) = inbox.firing("api")
    assert found.labels == wild
    assert "of two lines" in caplog.text
    assert "hunter2" not in caplog.text
    assert "\x1b" not in caplog.text


def test_a_long_annotation_is_cut(client: Client, inbox: Inbox) -> None:
    assert client.post(plain(annotations={"text": "x" * 100_000})).status_code == 200
    (found,) = inbox.firing("api")
    assert len(found.annotations["text"]) < 10_000


# What is left out


@pytest.mark.parametrize(
    ("foreign", "why"),
    [
        (labels(service="other"), "alert 0: 'other' is no service in services.yaml"),
        ({"alertname": "Any", "auto_rollback": "true"}, "alert 0: it has no label `service`"),
    ],
)
def test_an_alert_of_no_service_of_ours_is_accepted_and_launches_nothing(
    client: Client, accepted: Accepted, foreign: Any, why: str
) -> None:
    answer = client.post(plain(labels=foreign))
    assert (answer.status_code, answer.json()) == (
        200,
        {"accepted": 0, "left_out": 1, "reasons": [why]},
    )
    assert accepted.calls == []


MALFORMED: list[tuple[Any, str]] = [
    ("text", "an alert"),
    (7, "an alert"),
    ({"labels": []}, "labels"),
    ({"labels": {}}, "labels"),
    ({"labels": labels(severity=5)}, "labels.severity"),
    ({"labels": labels(deep={"a": 1})}, "labels.deep"),
    ({"labels": {f"l{n}": "x" for n in range(1000)}}, "labels"),
    ({"labels": labels(long="x" * 100_000)}, "labels.long"),
    ({"annotations": {"summary": 5}}, "annotations.summary"),
    ({"annotations": "text"}, "annotations"),
    ({"startsAt": None}, "startsAt"),
    ({"startsAt": 1_700_000_000}, "startsAt"),
    ({"startsAt": "2026-08-01 12:00"}, "startsAt"),
    ({"startsAt": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, "startsAt"),
    ({"status": "pending"}, "status"),
    ({"status": None}, "status"),
]


@pytest.mark.parametrize(("malformed", "why"), MALFORMED)
def test_one_malformed_alert_does_not_take_its_group_with_it(
    client: Client, inbox: Inbox, malformed: Any, why: str
) -> None:
    answer = client.post(group(malformed, {}))
    assert answer.status_code == 200
    assert (answer.json()["accepted"], answer.json()["left_out"]) == (1, 1)
    assert answer.json()["reasons"][0].startswith(f"alert 0: {why}")
    assert len(inbox.firing("api")) == 1


@pytest.mark.parametrize(("malformed", "why"), MALFORMED)
def test_a_malformed_alert_alone_is_refused(
    client: Client, inbox: Inbox, malformed: Any, why: str
) -> None:
    answer = client.post(group(malformed))
    assert answer.status_code == 422
    assert why in answer.json()["error"]
    assert inbox.firing("api") == ()


def test_an_alert_without_a_start_is_refused(client: Client) -> None:
    body = plain()
    del body["startsAt"]
    answer = client.post(body)
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        "No alert can be understood: alert 0: startsAt: Field required.",
    )


# What is refused


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"alert",
        b"\xff\xfe{",
        b'{"labels": ',
        b"[]",
        b"null",
        b"7",
        b"1" * 100_000,
        b'"\\ud800"',
        b"[" * 200_000,
        b'{"labels":' * 20_000,
        json.dumps(group({}, version="5")).encode(),
        json.dumps({"alerts": [plain()]}).encode(),
        json.dumps(group({}, alerts={})).encode(),
    ],
)
def test_what_is_neither_format_is_refused(client: Client, body: bytes) -> None:
    answer = client.post(body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "state", "advice"}
    assert "startsAt" in answer.json()["advice"]
    assert client.post(plain()).status_code == 200


def test_a_body_that_is_too_long_is_refused(
    client: Client, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MOST_BYTES", 1000)
    assert client.post(plain(annotations={"x": "x" * 1000})).status_code == 413
    assert inbox.firing("api") == ()


def test_a_body_that_is_too_long_without_saying_so_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MOST_BYTES", 1000)
    content = (b" " * 100 for _ in range(20))
    answer = client.http.post(
        "/webhook/alert",
        content=content,
        headers={"Authorization": f"Bearer {CREDENTIALS.token}"},
    )
    assert answer.status_code == 413


def test_who_only_signs_may_not_send_much(client: Client) -> None:
    assert client.signed(plain(annotations={"x": "x" * 500_000})).status_code == 413


def test_more_alerts_than_anybody_has_are_refused(client: Client) -> None:
    answer = client.post({"version": "4", "alerts": [{}] * 20_001})
    assert answer.status_code == 413
    assert "20001 alerts" in answer.json()["error"]


def test_a_packed_body_is_not_unpacked(client: Client) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert client.bare(bomb, {"Content-Encoding": "gzip", **_bearer()}).status_code == 415


def test_a_body_that_does_not_come_is_not_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "BODY_SECONDS", 0.3)
    head = (
        "POST /webhook/alert HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n"
        f"Authorization: Bearer {CREDENTIALS.token}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.settimeout(20)
        connection.sendall(head.encode() + b"{")
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_a_sender_that_leaves_in_the_middle_does_no_harm(client: Client, inbox: Inbox) -> None:
    head = (
        "POST /webhook/alert HTTP/1.1\r\nHost: here\r\nContent-Length: 10000\r\n"
        f"Authorization: Bearer {CREDENTIALS.token}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.sendall(head.encode() + json.dumps(plain()).encode())
    assert client.post(plain(labels=labels(service="web"))).status_code == 200
    assert inbox.firing("api") == ()


def test_a_head_without_end_is_refused(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.settimeout(20)
        connection.sendall(b"POST /webhook/alert HTTP/1.1\r\nX-Long: " + b"x" * 200_000)
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")


def test_other_pages_and_methods_are_refused_in_json(client: Client) -> None:
    assert client.http.get("/webhook/alert").status_code == 405
    other = client.http.post("/webhook/alert/")
    assert other.status_code in (307, 404)
    missing = client.http.get("/")
    assert (missing.status_code, missing.json()["error"]) == (404, "Not Found")


# What goes wrong here


def test_an_inbox_that_cannot_be_written_is_a_5xx(tmp_path: Path, accepted: Accepted) -> None:
    broken = tmp_path / "alerts.sqlite"
    broken.write_bytes(b"no database" * 1000)
    inbox = Inbox(f"sqlite:///{broken}")
    with running(create_app(inbox, CREDENTIALS, SERVICES, accepted)) as client:
        answer = client.post(plain())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert client.http.get("/health").status_code == 503
        signed = client.signed(plain(), at=(now := time.time()))
        assert signed.status_code == 503
        broken.unlink()
        assert client.signed(plain(), at=now).status_code == 200
        assert client.http.get("/health").status_code == 200
    assert len(inbox.firing("api")) == 1


def test_nothing_is_answered_before_it_is_in_the_inbox(
    client: Client, inbox: Inbox, accepted: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise InboxUnavailable("The disk is full.")

    monkeypatch.setattr(inbox, "put", fails)
    assert client.post(plain()).status_code == 503
    assert accepted.calls == []


def test_what_hangs_after_accepting_delays_no_answer(client: Client, accepted: Accepted) -> None:
    accepted.held.clear()
    try:
        for number in range(handover.THREADS * 3):
            assert client.post(plain(labels=labels(pod=f"{number}"))).status_code == 200
        assert accepted.calls == []
    finally:
        accepted.held.set()
    wait_until(lambda: len(accepted.calls) == handover.THREADS * 3, every=0.01)


def test_what_fails_after_accepting_fails_no_answer(
    client: Client, accepted: Accepted, caplog: pytest.LogCaptureFixture
) -> None:
    accepted.error = RuntimeError("no launch: token=hunter2")
    assert client.post(plain()).status_code == 200
    wait_until(lambda: "no launch" in caplog.text, every=0.01)
    assert "hunter2" not in caplog.text
    assert client.post(plain()).status_code == 200


# What is seen of it


def test_metrics_count_answers_and_alerts(client: Client) -> None:
    client.post(group({}, {"labels": labels(service="other")}))
    client.post(b"{")
    metrics = client.http.get("/metrics").text
    assert 'gp_webhook_requests_total{status="200"} 1.0' in metrics
    assert 'gp_webhook_requests_total{status="400"} 1.0' in metrics
    assert 'gp_webhook_alerts_total{outcome="accepted"} 1.0' in metrics
    assert 'gp_webhook_alerts_total{outcome="left_out"} 1.0' in metrics
    assert "gp_webhook_last_accepted_timestamp_seconds 1." in metrics
    assert "HighErrorRate" not in metrics


def test_what_else_is_registered_is_shown_and_what_runs_beside_ends_with_it(inbox: Inbox) -> None:
    registry = CollectorRegistry()
    Gauge("gp_watched", "", registry=registry).set(1)
    lives: list[bool] = []

    @asynccontextmanager
    async def background() -> AsyncIterator[None]:
        lives.append(True)
        yield
        lives.append(False)

    app = create_app(
        inbox, CREDENTIALS, SERVICES, Accepted(), registry=registry, background=background
    )
    with running(app) as client:
        assert "gp_watched 1.0" in client.http.get("/metrics").text
        assert lives == [True]
    assert lives == [True, False]


def _bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {CREDENTIALS.token}"}
