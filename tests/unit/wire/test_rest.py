"""The platform's REST answers, as it sends them and as it could."""

from datetime import UTC, datetime

import pytest

from ringback.errors import FrameError, FrameFault
from ringback.wire.rest import (
    AvailableTopics,
    Channel,
    Channels,
    QueuePage,
    Subscriptions,
    TokenAnswer,
    TokenInfo,
    decode,
    entities,
    problem,
)


def test_a_token_is_read_and_does_not_show() -> None:
    token = decode(
        b'{"access_token":"canary","token_type":"bearer","expires_in":86399}', TokenAnswer
    )
    assert (token.access_token, token.expires_in) == ("canary", 86399)
    assert "canary" not in repr(token)


def test_a_channel_is_read_and_does_not_show() -> None:
    data = (
        b'{"connectUri":"wss://host/channels/canary","id":"canary",'
        b'"expires":"2026-11-23T08:00:00.000Z","additionalProperties":{}}'
    )
    channel = decode(data, Channel)
    assert channel.connect_uri == "wss://host/channels/canary"
    assert channel.expires == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert "canary" not in repr(channel)
    channels = decode(b'{"entities":[%b,{"id":null}]}' % data, Channels)
    assert len(channels.entities) == 1
    assert "canary" not in repr(channels)


@pytest.mark.parametrize(
    ("data", "count"),
    [(b'{"entities":[{},{"id":null},{"id":"a"}]}', 3), (b"{}", 0), (b'{"entities":null}', 0)],
)
def test_entities_are_counted_that_say_nothing(data: bytes, count: int) -> None:
    assert entities(data) == count
    with pytest.raises(FrameError):
        entities(b"[]")


@pytest.mark.parametrize("data", [b"{}", b'{"entities":null}', b'{"entities":[]}'])
def test_what_is_absent_is_none(data: bytes) -> None:
    assert decode(data, Subscriptions).entities == []
    assert decode(data, AvailableTopics).entities == []


def test_a_rejected_topic_says_why() -> None:
    data = (
        b'{"entities":[{"id":"v2.routing.queues.q.conversations","state":"Rejected",'
        b'"rejectionReason":"no","missingPermissions":["conversation:communication:view"]},'
        b'{"id":"v2.routing.queues.p.conversations","state":"Permitted","rejectionReason":{},'
        b'"missingPermissions":null}]}'
    )
    rejected, permitted = decode(data, Subscriptions).entities
    assert rejected.rejected
    assert rejected.missing_permissions == ["conversation:communication:view"]
    assert not permitted.rejected


def test_an_available_topic_says_what_it_needs() -> None:
    data = (
        b'{"entities":[{"id":"v2.routing.queues.{id}.conversations","transports":["All"],'
        b'"requiresPermissions":["conversation:communication:view"],'
        b'"permissionDetails":[{"type":"requiresPermissions","permissions":["a"]}]}]}'
    )
    topic = decode(data, AvailableTopics).entities[0]
    assert topic.requires_permissions == ["conversation:communication:view"]
    assert topic.permission_details is not None
    assert topic.permission_details[0].permissions == ["a"]


def test_a_page_of_queues() -> None:
    data = (
        b'{"entities":[{"id":"q1","name":"Sales","division":{"id":"d1","name":"Home"},'
        b'"mediaSettings":{"callback":{"alertingTimeoutSeconds":30}},"agentOwnedRouting":{}}],'
        b'"pageSize":100,"pageNumber":1,"total":1,"pageCount":1}'
    )
    page = decode(data, QueuePage)
    assert (page.total, page.page_count) == (1, 1)
    assert page.entities is not None
    queue = page.entities[0]
    assert (queue.id, queue.name) == ("q1", "Sales")
    assert queue.division is not None
    assert queue.division.name == "Home"
    assert decode(b"{}", QueuePage).entities is None


def test_whose_token_it_is() -> None:
    data = b'{"organization":{"id":"o","name":"Acme"},"OAuthClient":{"id":"c","name":"Ringback"}}'
    info = decode(data, TokenInfo)
    assert info.organization is not None
    assert info.organization.name == "Acme"
    assert info.oauth_client is not None
    assert info.oauth_client.id == "c"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"<html>", FrameFault.NOT_JSON),
        (b'{"id":', FrameFault.NOT_JSON),
        (b"\xff", FrameFault.NOT_JSON),
        (b'{"id":"\xff"}', FrameFault.NOT_JSON),
        (b"null", FrameFault.WRONG_TYPE),
        (b"[]", FrameFault.WRONG_TYPE),
        (b'{"id":5}', FrameFault.WRONG_TYPE),
        (b"[" * 100_000, FrameFault.TOO_DEEP),
    ],
)
def test_what_is_something_else_is_refused(data: bytes, fault: FrameFault) -> None:
    with pytest.raises(FrameError) as caught:
        decode(data, Channel)
    assert caught.value.fault is fault


def test_a_problem_is_read_if_it_is_one() -> None:
    found = problem(b'{"message":"no","code":"missing.permissions","status":403,"details":[]}')
    assert found is not None
    assert (found.code, found.status) == ("missing.permissions", 403)
    assert problem(b"<html>") is None
