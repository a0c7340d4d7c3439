"""Slack, Teams and PagerDuty as they document what they take and what they answer."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from ringback.core.events import AlertProof
from ringback.core.watch.messages import Message, Phase
from ringback.errors import DeliveryError, DeliveryFault
from ringback.ports import Receiver
from ringback.runtime.clock import SystemClock
from ringback.sinks.receivers.pagerduty import PagerDuty, events_of
from ringback.sinks.receivers.posting import Target
from ringback.sinks.receivers.slack import Slack, blocks_of
from ringback.sinks.receivers.teams import MOST_BYTES, Teams, card_of
from support.alerts import an_alert
from support.endpoint import Endpoint, Posted
from support.messages import message_of, wording

FIRING, ACKNOWLEDGED, RESOLVED = Phase
KEY = "k" * 32
SUCCESS = b'{"status":"success","message":"Event processed","dedup_key":"x"}'
Make = Callable[[Target], Receiver]

PROOF = AlertProof(confirmed=True, by="read", time="2026-11-22T08:02:50.000Z")
ONE = message_of((FIRING, an_alert(1, severity="critical", proof=PROOF)))
SALES = message_of(*((FIRING, an_alert(number)) for number in range(37)))
DIGEST = message_of(
    *((FIRING, an_alert(number, queue=f"q-{number % 30}")) for number in range(400))
)
HOSTILE = message_of((FIRING, an_alert(1, queue="q-2", summary="<!channel> *all* [x](y) & co")))
MESSAGES = [ONE, SALES, DIGEST, HOSTILE]


async def told(make: Make, message: Message, *answers: Any, body: bytes = b"ok") -> list[Posted]:
    """Tell a service of a message; give what was posted."""
    async with Endpoint(*answers, status=202 if body != b"ok" else 200, body=body) as there:
        target = Target(there.url, allow_private=True, timeout=5, clock=SystemClock())
        receiver = make(target)
        try:
            await receiver.deliver(message)
        finally:
            await receiver.close()
    return there.posted


# Slack: https://docs.slack.dev/reference/block-kit/blocks

SLACK = {
    "type": "object",
    "required": ["text", "blocks"],
    "properties": {
        "text": {"type": "string", "minLength": 1},
        "unfurl_links": {"type": "boolean"},
        "blocks": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "oneOf": [
                    {
                        "properties": {
                            "type": {"const": "header"},
                            "text": {
                                "required": ["type", "text"],
                                "properties": {
                                    "type": {"const": "plain_text"},
                                    "text": {"maxLength": 150, "minLength": 1},
                                },
                            },
                        },
                        "required": ["type", "text"],
                    },
                    {
                        "properties": {
                            "type": {"const": "section"},
                            "text": {
                                "required": ["type", "text"],
                                "properties": {
                                    "type": {"const": "mrkdwn"},
                                    "text": {"maxLength": 3000, "minLength": 1},
                                },
                            },
                        },
                        "required": ["type", "text"],
                    },
                    {
                        "properties": {
                            "type": {"const": "context"},
                            "elements": {"type": "array", "maxItems": 10},
                        },
                        "required": ["type", "elements"],
                    },
                ]
            },
        },
    },
}


@pytest.mark.parametrize("message", MESSAGES)
async def test_slack_gets_blocks_within_its_limits(message: Message) -> None:
    (posted,) = await told(lambda target: Slack(target, wording()), message)
    jsonschema.validate(posted.json, SLACK)
    texts = [block["text"]["text"] for block in posted.json["blocks"] if "text" in block]
    assert sum(map(len, texts)) < 13_000


async def test_slack_is_told_all_that_it_takes_to_act() -> None:
    header, section = blocks_of(ONE, wording())
    assert header["text"]["text"] == (
        "A callback of queue Sales: due, and not released into the queue"
    )
    text = section["text"]["text"]
    for needed in (
        "c-1",
        "state scheduled since 2026-11-22T08:00:00Z",
        "confirmed by a read at 2026-11-22T08:02:50Z",
        "<https://ringback.example.org/?open=c-1|Ringback>",
        "<https://apps.example.org/#/interactions/c-1|Genesys Cloud>",
    ):
        assert needed in text


async def test_slack_counts_what_there_is_no_room_for() -> None:
    (section,) = [block for block in blocks_of(SALES, wording()) if block["type"] == "section"]
    text = section["text"]["text"]
    assert text.startswith("*37 callbacks of queue Sales: due, and not released into the queue*")
    told_one_by_one = text.count("\n• ")
    assert f"and {37 - told_one_by_one} more: <https://ringback.example.org/?alert=due" in text
    *_, context = blocks_of(DIGEST, wording())
    assert "more groups" in context["elements"][0]["text"]


async def test_slack_takes_nothing_for_a_command_that_is_a_text() -> None:
    (posted,) = await told(lambda target: Slack(target, wording()), HOSTILE)
    header, *sections = posted.json["blocks"]
    # Nothing is looked for in a plain text.
    assert header["text"]["type"] == "plain_text"
    for text in (posted.json["text"], json.dumps(sections)):
        assert "<!channel>" not in text
        assert "&lt;!channel&gt;" in text


# Teams: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using


@pytest.mark.parametrize("message", MESSAGES)
async def test_teams_gets_one_adaptive_card_within_its_limit(message: Message) -> None:
    (posted,) = await told(lambda target: Teams(target, wording()), message, body=b"")
    assert posted.json["type"] == "message"
    (attachment,) = posted.json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"TextBlock"}
    assert all(block["wrap"] and block["text"] for block in card["body"])
    assert all(action["url"].startswith("https://") for action in card["actions"])
    assert len(posted.body) <= MOST_BYTES


def test_teams_is_told_all_that_it_takes_to_act() -> None:
    text = json.dumps(card_of(ONE, wording()))
    for needed in (
        "A callback of queue Sales: due, and not released into the queue",
        "c-1",
        "state scheduled since 2026-11-22T08:00:00Z",
        "confirmed by a read at 2026-11-22T08:02:50Z",
        "[Ringback](https://ringback.example.org/?open=c-1)",
        "[Genesys Cloud](https://apps.example.org/#/interactions/c-1)",
    ):
        assert needed in text
    assert card_of(ONE, wording())["body"][0]["color"] == "Attention"
    over = message_of((RESOLVED, an_alert(1)), before=(an_alert(1),))
    assert card_of(over, wording())["body"][0]["color"] == "Good"


def test_teams_takes_nothing_for_a_mark_that_is_a_text() -> None:
    body = card_of(HOSTILE, wording())["body"]
    assert "\\[x\\]\\(y\\)" in body[1]["text"]
    assert "Support & <Service\\>" in body[1]["text"]


# PagerDuty: https://developer.pagerduty.com/docs/send-alert-event

PAGERDUTY = {
    "type": "object",
    "required": ["routing_key", "event_action", "dedup_key"],
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "client": {"type": "string"},
        "client_url": {"type": "string", "format": "uri"},
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["href"],
                "properties": {"href": {"type": "string"}, "text": {"type": "string"}},
            },
        },
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "format": "date-time"},
                "component": {"type": "string"},
                "group": {"type": "string"},
                "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
}


def deeds(message: Message) -> list[tuple[str, str]]:
    """Give what PagerDuty is asked to do to which incident."""
    return [
        (event.event_action, event.dedup_key.partition("/")[0])
        for event in events_of(message, KEY, wording())
    ]


@pytest.mark.parametrize("message", MESSAGES)
async def test_pagerduty_gets_one_incident_for_what_is_told_together(message: Message) -> None:
    (posted,) = await told(lambda to: PagerDuty(to, KEY, wording()), message, body=SUCCESS)
    assert posted.path == "/v2/enqueue"
    jsonschema.validate(posted.json, PAGERDUTY)
    assert posted.json["event_action"] == "trigger"
    assert posted.json["dedup_key"] == message.items[0].alert.alert_id
    assert len(posted.body) < 512 * 1024


async def test_pagerduty_is_told_all_that_it_takes_to_act() -> None:
    (posted,) = await told(lambda to: PagerDuty(to, KEY, wording()), ONE, body=SUCCESS)
    assert posted.json["payload"]["severity"] == "critical"
    (line,) = posted.json["payload"]["custom_details"]["alerts"]
    assert line == (
        "c-1: state scheduled since 2026-11-22T08:00:00Z,"
        " alarming since 2026-11-22T08:00:00Z, proof confirmed by a read at 2026-11-22T08:02:50Z"
    )
    assert posted.json["links"] == [
        {"href": "https://ringback.example.org/?open=c-1", "text": "Ringback"},
        {"href": "https://apps.example.org/#/interactions/c-1", "text": "Genesys Cloud"},
    ]


def test_an_incident_lasts_until_the_last_of_its_alerts_is_over() -> None:
    one, two = an_alert(1), an_alert(2)
    assert deeds(message_of((RESOLVED, two), before=(one, two))) == [("trigger", "c-1")]
    assert deeds(message_of((RESOLVED, one), (RESOLVED, two), before=(one, two))) == [
        ("resolve", "c-1")
    ]


def test_an_incident_is_acknowledged_once_all_of_it_is() -> None:
    one, two = an_alert(1), an_alert(2)
    assert deeds(message_of((ACKNOWLEDGED, one), before=(one, two))) == []
    assert deeds(message_of((ACKNOWLEDGED, one), (ACKNOWLEDGED, two), before=(one, two))) == [
        ("acknowledge", "c-1")
    ]
    assert deeds(message_of((ACKNOWLEDGED, one), (RESOLVED, two), before=(one, two))) == [
        ("trigger", "c-1"),
        ("acknowledge", "c-1"),
    ]


def test_what_came_and_went_is_a_record_that_need_not_wake_anybody() -> None:
    one = an_alert(1, severity="critical")
    trigger, resolve = events_of(message_of((FIRING, one), (RESOLVED, one)), KEY, wording())
    assert (trigger.event_action, resolve.event_action) == ("trigger", "resolve")
    assert trigger.dedup_key == resolve.dedup_key
    assert trigger.payload
    assert (trigger.payload.severity, trigger.payload.summary[:13]) == ("info", "Over already:")


def test_a_long_key_is_cut_to_one_that_is_no_other() -> None:
    alerts = [an_alert(number, rule="r" * 300) for number in (1, 2)]
    keys = {
        event.dedup_key
        for alert in alerts
        for event in events_of(message_of((FIRING, alert)), KEY, wording())
    }
    assert [len(key) for key in keys] == [255, 255]


GARBAGE: dict[str, tuple[Make, list[Any]]] = {
    "slack": (
        lambda target: Slack(target, wording()),
        [(200, {}, b"<html>canary</html>"), (200, {}, b"")],
    ),
    "teams": (
        lambda target: Teams(target, wording()),
        [
            (200, {}, b"Webhook message delivery failed with error: HTTP error 429 canary"),
            (200, {}, b"<html>canary</html>"),
        ],
    ),
    "pagerduty": (
        lambda target: PagerDuty(target, KEY, wording()),
        [
            (200, {}, b"<html>canary</html>"),
            (202, {}, b'{"status":"invalid event","message":"canary"}'),
            (202, {}, b"[" * 10_000),
        ],
    ),
}


@pytest.mark.parametrize("service", GARBAGE)
async def test_an_answer_that_is_not_theirs_is_no_success_and_is_not_repeated(service: str) -> None:
    make, answers = GARBAGE[service]
    for answer in answers:
        with pytest.raises(DeliveryError) as caught:
            await told(make, ONE, answer)
        assert caught.value.fault is DeliveryFault.GARBAGE
        assert "canary" not in str(caught.value)


async def test_a_connector_of_before_answers_one() -> None:
    assert await told(lambda target: Teams(target, wording()), ONE, (200, {}, b"1"))
