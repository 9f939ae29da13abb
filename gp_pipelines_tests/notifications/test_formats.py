"""One notification in each channel's format, and a stranger's text in each of them."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from gp_pipelines.notifications.cloudevents import cloud_event
from gp_pipelines.notifications.slack import slack_message
from gp_pipelines.notifications.teams import teams_message
from gp_pipelines.notifications.wording import LONGEST_TEXT, LONGEST_TITLE, fit_to_send
from gp_pipelines_tests.notifications.examples import A_NOTIFICATION, AT

MARKUP = "<!channel> <@U1> & [click](http://evil) **bold** <at>all</at> </script>"
STRANGE = replace(A_NOTIFICATION, title=MARKUP, what=MARKUP, facts={MARKUP: MARKUP})


def texts(message: Any) -> list[str]:
    """Each string in it."""
    if isinstance(message, str):
        return [message]
    children = message.values() if isinstance(message, dict) else message
    return [
        text for child in children if isinstance(child, str | dict | list) for text in texts(child)
    ]


def test_an_event_has_all_that_cloudevents_wants() -> None:
    event = cloud_event(A_NOTIFICATION)
    assert event["specversion"] == "1.0"
    assert event["type"] == "gp-pipelines.rollback_succeeded"
    assert event["source"] == "/gp-pipelines/services/api"
    assert (event["subject"], event["datacontenttype"]) == ("api", "application/json")
    assert datetime.fromisoformat(event["time"]) == AT
    assert event["id"] != cloud_event(A_NOTIFICATION)["id"]
    assert json.loads(json.dumps(event["data"])) == {
        "kind": "rollback_succeeded",
        "service": "api",
        "severity": "critical",
        "title": "api is back on v2",
        "what": "v4 failed 50 of 100 requests.\nTraffic is on v2, verified.",
        "run_id": "run-7",
        "url": "http://dagster/runs/run-7",
        "facts": {"from": "v4", "to": "v2"},
    }


def test_slack_shows_the_whole_of_it() -> None:
    message = slack_message(A_NOTIFICATION)
    assert message["text"] == "api is back on v2"
    (attachment,) = message["attachments"]
    assert attachment["color"] == "danger"
    what, facts, link = attachment["blocks"]
    assert what["text"]["text"] == A_NOTIFICATION.what
    assert [each["text"] for each in facts["fields"]] == ["from: v4", "to: v2"]
    assert link["elements"][0]["text"] == "<http://dagster/runs/run-7|The run in Dagster>"


def test_slack_gets_no_empty_block_which_it_would_refuse() -> None:
    bare = replace(A_NOTIFICATION, what="", facts={}, url=None)
    assert slack_message(bare)["attachments"][0]["blocks"] == []


def test_a_strangers_text_calls_nobody_in_slack() -> None:
    message = slack_message(replace(STRANGE, url="http://dagster/|<!channel>"))
    assert "&lt;!channel&gt; &lt;@U1&gt; &amp;" in message["text"]
    for text in texts(message):
        assert "<!" not in text
        assert "<@" not in text
    for block in message["attachments"][0]["blocks"]:
        for element in block.get("fields") or block.get("elements") or [block["text"]]:
            assert element["verbatim"] is True


def test_text_that_grows_by_escaping_stays_short_enough_for_slack() -> None:
    message = slack_message(replace(A_NOTIFICATION, what="&" * LONGEST_TEXT))
    text = message["attachments"][0]["blocks"][0]["text"]["text"]
    assert len(text) <= 3000
    assert text.removesuffix("…") == "&amp;" * (len(text) // 5)


def test_teams_shows_the_whole_of_it() -> None:
    message = teams_message(A_NOTIFICATION)
    assert message["type"] == "message"
    (attachment,) = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["type"] == "AdaptiveCard"
    lines = ["".join(run["text"] for run in line["inlines"]) for line in card["body"]]
    assert lines == [
        "api is back on v2",
        "v4 failed 50 of 100 requests.",
        "Traffic is on v2, verified.",
        "from: v4",
        "to: v2",
    ]
    assert card["body"][0]["inlines"][0]["color"] == "Attention"
    assert card["actions"][0]["url"] == "http://dagster/runs/run-7"


def test_a_strangers_text_is_no_markdown_in_teams_and_mentions_nobody() -> None:
    message = teams_message(STRANGE)
    card = message["attachments"][0]["content"]
    assert {line["type"] for line in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for line in card["body"] for run in line["inlines"]} == {"TextRun"}
    assert "msteams" not in card
    assert MARKUP in texts(message)


def test_what_leaves_has_no_secret_and_nothing_unprintable_and_is_not_long() -> None:
    secret = "https://hooks.example/T0/s3cr3t"
    bad = f"see {secret} password=hunter2 postgresql://u:pw@db/x \x1b[31m\u202e\x00"
    sent = fit_to_send(
        replace(
            A_NOTIFICATION,
            title=bad + "\nline" * 100,
            what=bad + "\nline" + "x" * 5000,
            facts={f"{n} {bad}": bad + "y" * 1000 for n in range(50)},
        ),
        (secret,),
    )
    for text in (sent.title, sent.what, *sent.facts, *sent.facts.values()):
        for unwanted in ("s3cr3t", "hunter2", ":pw@", "\x1b", "\u202e", "\x00"):
            assert unwanted not in text
    assert "\n" not in sent.title
    assert "\nline" in sent.what
    assert (len(sent.title), len(sent.what)) == (LONGEST_TITLE, LONGEST_TEXT)
    assert len(sent.facts) == 10
    for render in (cloud_event, slack_message, teams_message):
        assert len(json.dumps(render(sent))) < 28_000, "Teams takes no more"


def test_a_secret_at_the_place_where_a_text_is_cut_is_not_left_in_part() -> None:
    secret = "https://hooks.example/T0/s3cr3t"
    for before in range(LONGEST_TITLE - len(secret), LONGEST_TITLE):
        sent = fit_to_send(replace(A_NOTIFICATION, title="x" * before + secret), (secret,))
        assert "hooks" not in sent.title
