"""Delivery to real HTTP servers: good ones, those in trouble, and those that never answer."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
import tenacity

from gp_pipelines.notifications import delivery, notify
from gp_pipelines.notifications.notify import notify as tell
from gp_pipelines_tests.notifications.examples import A_NOTIFICATION
from gp_pipelines_tests.notifications.receiver import Receiver

PROGRAM = """
import os
from gp_pipelines.notifications import notify
from gp_pipelines_tests.notifications.examples import A_NOTIFICATION
notify.DEADLINE_SECONDS = 1.0
notify.notify(A_NOTIFICATION, environment=os.environ, progress=print)
"""
HANGS, CLOSES, NEVER_ENDS = 0, -1, -2


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests wait for no pause; and no proxy of this machine's is asked for its own addresses."""
    monkeypatch.setattr(delivery, "PAUSE", tenacity.wait_none())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def told(environment: dict[str, str]) -> str:
    """What the run's log says afterwards."""
    said: list[str] = []
    tell(A_NOTIFICATION, environment=environment, progress=said.append)
    assert len(said) <= 1
    assert "s3cr3t" not in "".join(said)
    return "".join(said)


def test_where_nothing_is_configured_nothing_happens() -> None:
    assert told({}) == ""
    assert told({"GP_NOTIFY_SLACK_URL": " "}) == ""


def test_each_configured_channel_gets_it_in_its_own_format(receiver: Receiver) -> None:
    said = told(
        {
            "GP_NOTIFY_WEBHOOK_URL": receiver.url + "/webhook",
            "GP_NOTIFY_SLACK_URL": receiver.url + "/slack",
            "GP_NOTIFY_TEAMS_URL": receiver.url + "/teams",
        }
    )
    assert said.count(": delivered") == 3
    got = {each.path.rsplit("/", 1)[-1]: each for each in receiver.received}
    assert set(got) == {"webhook", "slack", "teams"}
    assert got["webhook"].headers["content-type"] == "application/cloudevents+json"
    assert got["webhook"].body["data"]["title"] == A_NOTIFICATION.title
    assert got["slack"].body["text"] == A_NOTIFICATION.title
    assert got["teams"].body["attachments"][0]["content"]["type"] == "AdaptiveCard"


@pytest.mark.parametrize("trouble", [429, 500, 503, CLOSES])
def test_what_may_pass_is_tried_again_as_the_same_event(receiver: Receiver, trouble: int) -> None:
    receiver.statuses = [trouble, trouble, 202]
    assert ": delivered" in told({"GP_NOTIFY_WEBHOOK_URL": receiver.url})
    assert len(receiver.received) == 3
    assert len({each.body["id"] for each in receiver.received}) == 1


def test_it_is_given_up_after_three_tries(receiver: Receiver) -> None:
    receiver.statuses = [500]
    said = told({"GP_NOTIFY_WEBHOOK_URL": receiver.url})
    assert "GP_NOTIFY_WEBHOOK_URL: not delivered, the answer was 500" in said
    assert len(receiver.received) == 3


@pytest.mark.parametrize("status", [302, 400, 401, 404, 410])
def test_what_will_not_pass_is_tried_once(receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    receiver.answer_headers = {"location": receiver.url}
    assert f"not delivered, the answer was {status}" in told(
        {"GP_NOTIFY_WEBHOOK_URL": receiver.url}
    )
    assert len(receiver.received) == 1


def test_a_channel_that_wants_to_be_left_alone_for_longer_than_there_is_time_is(
    receiver: Receiver,
) -> None:
    receiver.statuses, receiver.answer_headers = [429], {"retry-after": "30"}
    assert "not delivered, the answer was 429" in told({"GP_NOTIFY_SLACK_URL": receiver.url})
    assert len(receiver.received) == 1


def test_a_channel_that_does_not_answer_is_asked_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "TRY_SECONDS", 0.2)
    receiver.statuses = [HANGS, 200]
    assert ": delivered" in told({"GP_NOTIFY_WEBHOOK_URL": receiver.url})
    assert len(receiver.received) == 2


@pytest.mark.parametrize("trouble", [HANGS, NEVER_ENDS])
def test_a_channel_that_hangs_ends_at_the_deadline_and_keeps_no_other_from_its_message(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    monkeypatch.setattr(notify, "DEADLINE_SECONDS", 1.0)
    receiver.statuses = [trouble]
    with Receiver() as good:
        said = told({"GP_NOTIFY_WEBHOOK_URL": receiver.url, "GP_NOTIFY_SLACK_URL": good.url})
    assert "GP_NOTIFY_WEBHOOK_URL: not delivered, no answer in 1 s" in said
    assert "GP_NOTIFY_SLACK_URL: delivered" in said
    assert len(good.received) == 1


def test_a_channel_where_nobody_listens_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/s3cr3t"
        said = told({"GP_NOTIFY_TEAMS_URL": url})
    assert "GP_NOTIFY_TEAMS_URL: not delivered, no answer (ConnectError)" in said


@pytest.mark.parametrize(
    "url",
    [
        "s3cr3t",
        "ftp://x/s3cr3t",
        "http://",
        "http://[::s3cr3t",
        "http://x:port/s3cr3t",
        "\x00s3cr3t",
    ],
)
def test_a_wrong_url_is_told_without_showing_it(url: str) -> None:
    assert "GP_NOTIFY_SLACK_URL: not delivered" in told({"GP_NOTIFY_SLACK_URL": url})


def test_no_log_of_the_process_shows_an_address(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told({"GP_NOTIFY_WEBHOOK_URL": receiver.url})
    assert receiver.received
    assert "s3cr3t" not in caplog.text


def test_a_text_that_holds_an_address_does_not_show_it_in_any_channel(receiver: Receiver) -> None:
    quoting = replace(A_NOTIFICATION, what=f"could not reach {receiver.url}")
    tell(quoting, environment={"GP_NOTIFY_WEBHOOK_URL": receiver.url}, progress=print)
    (got,) = receiver.received
    assert got.body["data"]["what"] == "could not reach ***"


def test_a_process_ends_without_waiting_for_a_channel_that_hangs(receiver: Receiver) -> None:
    receiver.statuses = [NEVER_ENDS]
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"GP_NOTIFY_WEBHOOK_URL": receiver.url, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        timeout=60,
    )
    assert receiver.received
