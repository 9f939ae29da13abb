"""The real Prometheus and Alertmanager: a rule fires, and it is known by both ways."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gp_pipelines.alerts.alertmanager import AlertmanagerFeed
from gp_pipelines.alerts.inbox import Inbox
from gp_pipelines.alerts.webhook import create_app
from gp_pipelines.services import Alertmanager as Address
from gp_pipelines.services import Service
from gp_pipelines_tests.alerts.examples import labels, service
from gp_pipelines_tests.alerts.monitoring import MISSING, Alertmanager, alertmanager, prometheus
from gp_pipelines_tests.alerts.running_webhook import CREDENTIALS, Client, running
from gp_pipelines_tests.e2e.patience import wait_until

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

WILD = 'a "quoted" \\ value,\nof two lines: ünïcödé 🏴‍☠️ {x="y"} %s'
SERVICES = ("api", "web")


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(f"sqlite:///{tmp_path / 'inbox' / 'alerts.sqlite'}")


@pytest.fixture
def webhook(inbox: Inbox) -> Iterator[Client]:
    with running(create_app(inbox, CREDENTIALS, SERVICES, lambda alerts: None)) as client:
        yield client


@pytest.fixture
def manager(tmp_path: Path, webhook: Client) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path / "alertmanager", webhook.port) as manager:
        yield manager


def test_a_rule_that_fires_is_known_by_polling_and_by_webhook_until_it_is_over(
    manager: Alertmanager, inbox: Inbox, tmp_path: Path
) -> None:
    feed = _feed(manager)
    with prometheus(tmp_path / "prometheus", manager) as failed_share:
        assert feed.read() == ()
        failed_share.value = 0.5
        wait_until(feed.read, every=0.05)
        wait_until(lambda: inbox.firing("api"), every=0.05)
        (polled,), (sent,) = feed.read(), inbox.firing("api")
        for alert in (polled, sent):
            assert alert.labels.items() >= labels().items()
            assert alert.annotations == {"summary": "0.5 of all requests fail"}
        assert (polled.fingerprint, polled.starts_at) == (sent.fingerprint, sent.starts_at)

        failed_share.value = 0.0
        wait_until(lambda: not feed.read(), seconds=60)
        wait_until(lambda: not inbox.firing("api"), seconds=60)


def test_what_alertmanager_repeats_stays_one_alert(manager: Alertmanager, inbox: Inbox) -> None:
    """Here it repeats every second."""
    manager.fire(labels())
    wait_until(lambda: inbox.firing("api"), every=0.05)
    (first,) = inbox.firing("api")
    before = _last_heard(inbox)
    wait_until(lambda: _last_heard(inbox) > before)
    assert inbox.firing("api") == (first,)


def test_a_silenced_alert_does_not_count(manager: Alertmanager) -> None:
    manager.fire(labels())
    wait_until(_feed(manager).read, every=0.05)
    manager.silence(service="api")
    wait_until(lambda: not _feed(manager).read(), every=0.05)


def test_an_inhibited_alert_does_not_count(manager: Alertmanager) -> None:
    manager.fire({"alertname": "DataCenterDown"})
    manager.fire(labels())
    manager.fire({"alertname": "Other", "service": "api"})
    everything = _feed(manager, service(match={}))
    wait_until(lambda: [alert.name for alert in everything.read()] == ["Other"], every=0.05)
    assert _feed(manager).read() == ()


def test_only_what_matches_is_given(manager: Alertmanager) -> None:
    """With values that would end a matcher, were they not quoted."""
    manager.fire(labels(team=WILD))
    manager.fire(labels(team="other"))
    manager.fire(labels(service="web", team=WILD))
    wild = _feed(manager, service(match={"auto_rollback": "true", "team": WILD}))
    wait_until(wild.read, every=0.05)
    (alert,) = wild.read()
    assert alert.labels == labels(team=WILD)
    wait_until(lambda: len(_feed(manager).read()) == 2, every=0.05)


def test_what_the_webhook_could_not_keep_is_sent_again(
    manager: Alertmanager, webhook: Client, inbox: Inbox, tmp_path: Path
) -> None:
    file = tmp_path / "inbox" / "alerts.sqlite"
    file.parent.mkdir()
    file.write_bytes(b"no database" * 1000)
    manager.fire(labels(team=WILD))
    wait_until(lambda: 'requests_total{status="503"}' in webhook.http.get("/metrics").text)
    file.unlink()
    wait_until(lambda: inbox.firing("api"), seconds=60)
    (alert,) = inbox.firing("api")
    assert alert.labels == labels(team=WILD)


def _feed(manager: Alertmanager, of: Service | None = None) -> AlertmanagerFeed:
    found = of or service()
    alerts = found.alerts.model_copy(update={"alertmanager": Address(url=manager.url)})
    return AlertmanagerFeed(found.model_copy(update={"alerts": alerts}), None)


def _last_heard(inbox: Inbox) -> int:
    with inbox._database.transaction() as connection:
        return int(connection.execute(text("SELECT max(heard_at) FROM alerts")).scalar_one())
