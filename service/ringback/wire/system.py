"""Frames about the channel itself: heartbeat, pong, `v2.system.*`, and answers to subscriptions."""

from enum import StrEnum
from typing import Any

import msgspec

from ringback.wire.values import OpenEnum, Wire

__all__ = ["Answer", "System", "SystemKind", "SystemMessage", "SystemReason", "SystemTopicType"]


class SystemTopicType(OpenEnum):
    """What a system message is about."""

    NO_LONGER_SUBSCRIBED = "no_longer_subscribed"
    SUBSCRIPTION_CHANGED = "subscription_changed"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105  not a password


class SystemReason(OpenEnum):
    """Why it happened."""

    ANOTHER_CHANNEL_SUBSCRIBED = "another_channel_subscribed"
    USER_TOKENS_REVOKED = "user_tokens_revoked"


class Answer(Wire):
    """The answer to a subscription, or to one on a channel that is gone."""

    result: str | int | None = None
    status: str | None = None


class SystemMessage(Wire):
    """The body of `channel.metadata` (only `message`) and of `v2.system.*` frames."""

    channel_id: str | None = None
    system_topic_type: SystemTopicType | None = None
    correlation_id: str | None = None
    organization_id: str | None = None
    user_id: str | None = None
    oauth_client_id: str | None = None
    oauth_client_org_id: str | None = None
    reason: SystemReason | None = None
    message: str | None = None
    data: dict[str, Any] | None = None


class SystemKind(StrEnum):
    """What a system frame asks of the source."""

    HEARTBEAT = "heartbeat"
    """Any `channel.metadata` that is no pong: the channel lives."""
    PONG = "pong"
    SOCKET_CLOSING = "socket_closing"
    """The service closes the socket within about a minute: connect to the same channel again."""
    NO_LONGER_SUBSCRIBED = "no_longer_subscribed"
    SUBSCRIPTION_CHANGED = "subscription_changed"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105  not a password
    RESULT = "result"
    """An answer: `result` says 200 (subscribed), 400 (refused) or 404 (channel or token gone)."""
    REQUEST = "request"
    """What a client sends (`ping`, `subscribe`), met in recordings of both directions."""
    OTHER = "other"


class System(msgspec.Struct, frozen=True, gc=False):
    """A frame about the channel; it says nothing about any conversation."""

    kind: SystemKind
    result: str | None = None
    """The answer's code, as `200`."""
    status: str | None = None
    """The answer's word, as `subscribed`."""
    message: SystemMessage | None = None
    """The body, where there was one."""
