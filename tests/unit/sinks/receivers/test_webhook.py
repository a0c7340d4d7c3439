import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as Oracle
from standardwebhooks import WebhookVerificationError

from ringback.core.events import AlertProof
from ringback.core.watch.messages import Message, Phase
from ringback.sinks.receivers.posting import Target
from ringback.sinks.receivers.webhook import Webhook, payload_of, secrets_of
from support.alerts import an_alert
from support.endpoint import Endpoint
from support.messages import message_of, wording

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()
MESSAGE = message_of((Phase.FIRING, an_alert(1)), (Phase.FIRING, an_alert(2)))


class Now:
    """The machine's clock, which the oracle reads as well; `ahead` of it."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@asynccontextmanager
async def webhook(there: Endpoint, secret: str, clock: Now | None = None) -> AsyncIterator[Webhook]:
    clock = clock or Now()
    target = Target(there.url, allow_private=True, timeout=5, clock=clock)
    made = Webhook("ops.eu", target, secrets_of(secret), wording(), clock)
    try:
        yield made
    finally:
        await made.close()


async def posted(secret: str, message: Message = MESSAGE, clock: Now | None = None) -> Any:
    async with Endpoint() as there, webhook(there, secret, clock) as made:
        await made.deliver(message)
    return there.posted[0]


async def test_it_is_signed_as_standard_webhooks_has_it() -> None:
    there = await posted(KEY)
    told = Oracle(KEY).verify(there.body, there.headers)
    assert told == there.json
    assert told["type"] == "ringback.alerts.v1"
    with pytest.raises(WebhookVerificationError):
        Oracle(OTHER).verify(there.body, there.headers)
    with pytest.raises(WebhookVerificationError):
        Oracle(KEY).verify(there.body.replace(b"c-1", b"c-9"), there.headers)


async def test_while_a_key_replaces_another_both_are_accepted() -> None:
    there = await posted(f"{KEY} {OTHER}")
    for key in (KEY, OTHER):
        assert Oracle(key).verify(there.body, there.headers) == there.json


async def test_an_old_message_is_refused_so_each_attempt_is_of_its_own_time() -> None:
    old = await posted(KEY, clock=Now(timedelta(minutes=-10)))
    with pytest.raises(WebhookVerificationError):
        Oracle(KEY).verify(old.body, old.headers)


async def test_a_message_is_the_same_whenever_it_is_sent_and_no_other_is() -> None:
    first, again = await posted(KEY), await posted(KEY, clock=Now(timedelta(minutes=1)))
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.body == again.body
    other = message_of((Phase.FIRING, an_alert(2)), before=(an_alert(1),))
    assert (await posted(KEY, other)).headers["webhook-id"] != first.headers["webhook-id"]
    assert "." not in first.headers["webhook-id"]


async def test_without_a_key_nothing_is_signed() -> None:
    there = await posted("")
    assert "webhook-signature" not in there.headers
    assert there.headers["webhook-id"]


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("canary!", "is not whsec_ and base64"),
        ("whsec_" + base64.b64encode(b"short").decode(), "holds 5 bytes; allowed: 24 to 64"),
        (f"{KEY} x", "base64"),
    ],
)
def test_a_bad_key_is_refused_without_being_quoted(secret: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        secrets_of(secret)
    assert "canary" not in str(caught.value)


def test_every_alert_is_told_with_all_that_it_takes_to_act() -> None:
    alert = an_alert(
        1,
        user_id="u-1",
        severity="critical",
        kind="due_not_released",
        labels={"team": "sales"},
        by="ada",
        proof=AlertProof(confirmed=True, by="read", time="2026-11-22T08:02:50.000Z"),
    )
    told = json.loads(payload_of(message_of((Phase.FIRING, alert)), wording()))
    assert told["timestamp"] == "2026-11-22T08:00:00.000Z"
    data = told["data"]
    assert (data["org"], data["message"], data["digest"]) == ("acme", 1, False)
    assert data["title"] == "A callback of queue Sales: due, and not released into the queue"
    assert data["alerts"] == [
        {
            "alertId": "c-1/due_not_released/1",
            "status": "firing",
            "first": True,
            "at": "2026-11-22T08:00:00.000Z",
            "rule": "due_not_released",
            "kind": "due_not_released",
            "severity": "critical",
            "summary": "due, and not released into the queue",
            "callbackId": "c-1",
            "conversationId": "c-1",
            "state": "scheduled",
            "stateSince": "2026-11-22T08:00:00.000Z",
            "since": "2026-11-22T08:00:00.000Z",
            "queueId": "q-1",
            "queue": "Sales",
            "userId": "u-1",
            "labels": {"team": "sales"},
            "proof": {"confirmed": True, "by": "read", "time": "2026-11-22T08:02:50.000Z"},
            "dashboard": "https://ringback.example.org/?open=c-1",
            "platform": "https://apps.example.org/#/interactions/c-1",
        }
    ]
