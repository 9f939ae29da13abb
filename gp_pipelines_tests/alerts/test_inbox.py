"""The inbox keeps each alert once, until it is over, whoever else has the database open."""

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, create_engine, text

from gp_pipelines.alerts import inbox as inbox_module
from gp_pipelines.alerts.contract import FeedUnreadable
from gp_pipelines.alerts.inbox import AlreadyAccepted, Inbox, InboxFeed
from gp_pipelines_tests.alerts.examples import BEGAN, alert
from gp_pipelines_tests.databases.server import running_server

WILD = 'of two\nlines: "ünïcödé" 🏴‍☠️ \0 password=hunter2 {{ x }} %s'
_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: Any, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'inbox' / 'alerts.sqlite'}"
    server = str(request.getfixturevalue("server"))
    name = f"inbox_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    found = psycopg.conninfo.conninfo_to_dict(server)
    url = URL.create(
        "postgresql+psycopg",
        username=str(found["user"]),
        password=str(found["password"]),
        database=name,
        query={"host": str(found["host"])},
    )
    return url.render_as_string(hide_password=False)


@pytest.fixture
def inbox(url: str) -> Inbox:
    return Inbox(url)


def test_an_inbox_into_which_nobody_put_anything_is_empty(inbox: Inbox) -> None:
    assert InboxFeed(inbox, "api").read() == ()


def test_another_process_reads_what_was_put(inbox: Inbox, url: str) -> None:
    there = replace(alert(text=WILD), annotations={WILD: WILD})
    inbox.put([there])
    assert InboxFeed(Inbox(url), "api").read() == (there,)


def test_each_service_has_its_own_alerts(inbox: Inbox) -> None:
    inbox.put([alert(service="api"), alert(service="web")])
    (found,) = inbox.firing("web")
    assert found.labels["service"] == "web"


def test_the_same_alert_twice_is_one_since_it_was_seen_first(inbox: Inbox) -> None:
    first = alert()
    inbox.put([first, alert()])
    inbox.put([replace(alert(), annotations={"summary": "more errors"})])
    (found,) = inbox.firing("api")
    assert found.seen_at == first.seen_at
    assert found.annotations == {"summary": "more errors"}


def test_one_that_begins_anew_is_another_alert(inbox: Inbox) -> None:
    later = BEGAN + timedelta(microseconds=1)
    inbox.put([alert(resolved=True), alert(starts_at=later)])
    (found,) = inbox.firing("api")
    assert found.starts_at == later


def test_a_resolved_one_does_not_fire(inbox: Inbox) -> None:
    inbox.put([alert()])
    inbox.put([alert(resolved=True)])
    assert inbox.firing("api") == ()


def test_a_message_that_was_overtaken_by_the_resolved_one_changes_nothing(inbox: Inbox) -> None:
    inbox.put([alert(resolved=True)])
    inbox.put([alert()])
    assert inbox.firing("api") == ()


def test_one_that_is_sent_again_long_after_it_was_resolved_fires_again(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.put([alert()])
    inbox.put([alert(resolved=True)])
    monkeypatch.setattr(inbox_module, "OVERTAKEN", timedelta())
    again = alert()
    inbox.put([again])
    (found,) = inbox.firing("api")
    assert found.seen_at == again.seen_at


def test_one_that_nobody_repeats_does_not_fire_for_ever(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.put([alert()])
    monkeypatch.setattr(inbox_module, "SILENT", timedelta())
    assert inbox.firing("api") == ()


def test_the_first_run_that_was_launched_for_an_alert_stands(inbox: Inbox) -> None:
    inbox.put([alert(pod="1"), alert(pod="2")])
    inbox.launched(alert(pod="1"), "run-1")
    inbox.launched(alert(pod="1"), "run-2")
    inbox.put([alert(pod="1")])
    inbox.launched(alert(pod="unknown"), "run-3")
    launched = {found.labels["pod"]: found.launched for found in inbox.firing("api")}
    assert launched == {"1": "run-1", "2": None}


@pytest.mark.parametrize("kept", ["KEPT", "KEPT_RESOLVED"])
def test_what_is_old_is_forgotten(
    inbox: Inbox, url: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.put([alert(resolved=True), alert(pod="1")])
    assert _count(url) == 2
    monkeypatch.setattr(inbox_module, kept, timedelta())
    inbox.put([])
    assert _count(url) == (0 if kept == "KEPT" else 1)


def test_of_too_many_the_resolved_and_the_oldest_go(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "MOST_ALERTS", 2)
    inbox.put([alert(pod="1")])
    inbox.put([alert(pod="2")])
    inbox.put([alert(pod="3", resolved=True)])
    assert [found.labels["pod"] for found in inbox.firing("api")] == ["1", "2"]
    inbox.put([alert(pod="4")])
    assert [found.labels["pod"] for found in inbox.firing("api")] == ["2", "4"]


def test_ten_thousand_at_once_are_kept(inbox: Inbox) -> None:
    many = [alert(pod=f"pod-{number}") for number in range(10_000)]
    inbox.put(many)
    inbox.put(many)
    assert len(inbox.firing("api")) == 10_000


def test_a_signed_request_is_accepted_once(inbox: Inbox, url: str) -> None:
    inbox.put([alert(pod="1")], signature="abc")
    with pytest.raises(AlreadyAccepted):
        Inbox(url).put([alert(pod="2")], signature="abc")
    inbox.put([alert(pod="3")], signature="def")
    assert [found.labels["pod"] for found in inbox.firing("api")] == ["1", "3"]


def test_a_signed_request_that_was_not_accepted_may_be_sent_again(inbox: Inbox) -> None:
    wrong = replace(alert(), labels={})
    with pytest.raises(KeyError):
        inbox.put([wrong], signature="abc")
    inbox.put([alert()], signature="abc")
    assert len(inbox.firing("api")) == 1


def test_a_new_inbox_may_be_opened_by_many_at_once(url: str) -> None:
    together = threading.Barrier(4)

    def put(number: int) -> None:
        inbox = Inbox(url)
        together.wait(30)
        inbox.put([alert(pod=f"pod-{number}")])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(4)))
    assert len(Inbox(url).firing("api")) == 4


def test_processes_that_begin_at_the_same_time_do_not_get_in_each_others_way(url: str) -> None:
    writer = "gp_pipelines_tests.alerts.inbox_writer"
    command = [sys.executable, "-m", writer, url, "10", BEGAN.isoformat()]
    writers = [subprocess.Popen(command) for _ in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    assert len(Inbox(url).firing("api")) == 11


def test_a_file_that_is_none_of_ours_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "alerts.sqlite"
    file.write_bytes(b"no database at all" * 1000)
    inbox = Inbox(f"sqlite:///{file}")
    with pytest.raises(FeedUnreadable, match=r"alerts\.sqlite\) cannot be used"):
        InboxFeed(inbox, "api").read()
    with pytest.raises(FeedUnreadable):
        inbox.put([alert()])


def test_a_file_that_may_not_be_made_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("a file where the directory should be")
    with pytest.raises(FeedUnreadable):
        Inbox(f"sqlite:///{tmp_path / 'inbox' / 'alerts.sqlite'}").firing("api")


def test_a_server_that_is_down_is_unknown_and_its_password_not_shown() -> None:
    with pytest.raises(FeedUnreadable) as caught:
        Inbox("postgresql+psycopg://me:hunter2@127.0.0.1:1/inbox").firing("api")
    assert "hunter2" not in str(caught.value)


def test_after_a_broken_file_was_moved_away_a_new_one_is_used(tmp_path: Path) -> None:
    file = tmp_path / "alerts.sqlite"
    inbox = Inbox(f"sqlite:///{file}")
    inbox.put([alert(pod="1")])
    file.rename(tmp_path / "broken.sqlite")
    for rest in tmp_path.glob("alerts.sqlite-*"):
        rest.unlink()
    inbox.put([alert(pod="2")])
    (found,) = Inbox(f"sqlite:///{file}").firing("api")
    assert found.labels["pod"] == "2"


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    directory = tmp_path / "inbox"
    inbox = Inbox(f"sqlite:///{directory / 'alerts.sqlite'}")
    inbox.put([alert()])
    assert directory.stat().st_mode & 0o077 == 0
    assert [file for file in directory.iterdir() if file.stat().st_mode & 0o077] == []


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """Taken out, no test that kills a process would notice: the machine has to lose its power."""
    inbox = Inbox(f"sqlite:///{tmp_path / 'alerts.sqlite'}")
    with inbox._database.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_label_never_stands_in_an_error(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FeedUnreadable) as caught:
        inbox.put([replace(alert(secret="hunter2"), fingerprint=None)])  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def _count(url: str) -> int:
    with create_engine(url).connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM alerts")).scalar_one())
