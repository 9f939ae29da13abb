"""Who may send alerts to the webhook, and how often: tokens, signatures, replays, guesses."""

import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gp_pipelines.alerts import webhook
from gp_pipelines.alerts.credentials import Credentials
from gp_pipelines.alerts.inbox import Inbox
from gp_pipelines.alerts.webhook import create_app
from gp_pipelines_tests.alerts.conftest import SERVICES, Accepted
from gp_pipelines_tests.alerts.examples import plain
from gp_pipelines_tests.alerts.running_webhook import CREDENTIALS, Client, running
from gp_pipelines_tests.e2e.patience import wait_until


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-token-of-some-length"},
        {"Authorization": f"Bearer {CREDENTIALS.token}x"},
        {"Authorization": f"Bearer {CREDENTIALS.token[:-1]}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {CREDENTIALS.token}"},
        {"Authorization": CREDENTIALS.token},
        {"Authorization": f"Bearer {CREDENTIALS.secret}"},
        {"X-GP-Timestamp": "now", "X-GP-Signature": "sha256=" + "0" * 64},
        {"X-GP-Timestamp": "-1", "X-GP-Signature": "sha256=" + "0" * 64},
        {"X-GP-Signature": "sha256=" + "0" * 64},
    ],
)
def test_whom_nobody_knows_is_refused(
    client: Client, inbox: Inbox, headers: dict[str, str]
) -> None:
    answer = client.bare(plain(), headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "X-GP-Signature" in answer.json()["advice"]
    assert CREDENTIALS.token not in answer.text
    assert CREDENTIALS.secret not in answer.text
    assert inbox.firing("api") == ()


@pytest.mark.parametrize(
    "signature", ["sha256=" + "0" * 64, "sha256=", "0" * 64, "sha1=" + "0" * 40, "sha256=ü"]
)
def test_a_wrong_signature_is_refused(client: Client, inbox: Inbox, signature: str) -> None:
    headers = {"X-GP-Timestamp": f"{time.time():.0f}", "X-GP-Signature": signature}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = client.http.post("/webhook/alert", json=plain(), headers=encoded)
    assert answer.status_code == 401
    assert inbox.firing("api") == ()


def test_a_signature_is_of_this_body_this_time_and_this_secret(client: Client) -> None:
    other = Credentials(token=CREDENTIALS.token, secret="another-secret-of-the-tests")
    assert client.signed(plain(), credentials=other).status_code == 401
    by_token = Credentials(token="", secret=CREDENTIALS.token)
    assert client.signed(plain(), credentials=by_token).status_code == 401
    good = client.signed(plain())
    assert good.status_code == 200
    headers = dict(good.request.headers)
    other_body = json.dumps(plain(status="resolved")).encode()
    kept = {name: headers[name] for name in ("x-gp-timestamp", "x-gp-signature")}
    assert client.bare(other_body, kept).status_code == 401
    later = {**kept, "x-gp-timestamp": str(int(kept["x-gp-timestamp"]) + 1)}
    assert client.bare(good.request.content, later).status_code == 401


@pytest.mark.parametrize("seconds", [-310, 310])
def test_a_signature_of_another_time_is_refused(client: Client, seconds: float) -> None:
    answer = client.signed(plain(), at=time.time() + seconds)
    assert answer.status_code == 401
    assert "holds for 300 s" in answer.json()["error"]


@pytest.mark.parametrize("seconds", [-280, 280])
def test_clocks_may_differ_a_little(client: Client, seconds: float) -> None:
    assert client.signed(plain(), at=time.time() + seconds).status_code == 200


def test_a_signed_request_that_is_replayed_is_refused(
    client: Client, inbox: Inbox, accepted: Accepted
) -> None:
    now = time.time()
    assert client.signed(plain(), at=now).status_code == 200
    assert client.signed(plain(status="resolved"), at=now).status_code == 200
    replayed = client.signed(plain(), at=now)
    assert replayed.status_code == 409
    assert "was accepted before" in replayed.json()["error"]
    assert inbox.firing("api") == ()
    wait_until(lambda: len(accepted.calls) == 2, every=0.01)


def test_a_replay_is_known_after_a_restart(client: Client, inbox: Inbox) -> None:
    now = time.time()
    assert client.signed(plain(), at=now).status_code == 200
    with running(create_app(inbox, CREDENTIALS, SERVICES, Accepted())) as restarted:
        assert restarted.signed(plain(), at=now).status_code == 409


def test_tokens_and_signatures_are_compared_in_constant_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken out, nothing compares at all: then everybody would be somebody, and nobody is."""
    compared: list[tuple[Any, Any]] = []

    def never(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr(hmac, "compare_digest", never)
    assert client.post(plain()).status_code == 401
    assert client.signed(plain()).status_code == 401
    assert len(compared) == 2


def test_whoever_guesses_has_to_wait_and_the_token_still_counts(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"X-GP-Timestamp": f"{time.time():.0f}", "X-GP-Signature": "sha256=" + "0" * 64}
    answers = [client.bare(plain(), wrong) for _ in range(webhook.UNPROVEN_AT_ONCE * 3)]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert answers[-1].headers["Retry-After"] == "10"
    assert client.post(plain()).status_code == 200


def test_too_many_requests_are_told_to_come_again(
    client: Client, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a 5xx: Alertmanager would take a 429 for the last word."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post(b"{"), range(webhook.PROVEN_AT_ONCE * 3)))
    assert {answer.status_code for answer in answers} == {400, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["Retry-After"] == "1"
    wait_until(lambda: client.post(plain()).status_code == 200)
