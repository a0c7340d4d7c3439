"""The same payloads through the platform's own Python SDK: field by field, what it sees we see.

Apart from the other tests, since the SDK is some 170 MB and takes seconds to import. Its decoder
has no public name.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from ringback.wire.callback import Callback
from ringback.wire.conversations import (
    CallbackConversation,
    CallbackNotification,
    Conversation,
    ConversationNotification,
)
from ringback.wire.values import CommunicationState, Wire

sdk = pytest.importorskip("PureCloudPlatformClientV2")

DATA = Path(__file__).parents[1] / "data"
UNKNOWN = "outdated_sdk_version"
EVENT = json.loads(
    (
        DATA / "frames" / "ws_user_conversations_callback_agent_disconnected_acw_pending.json"
    ).read_bytes()
)
REST = json.loads(
    (DATA / "frames" / "rest_conversation_callback_repeated_no_answer.json").read_bytes()
)
CLASSES: dict[str, dict[str, dict[str, Any]]] = json.loads((DATA / "schemas.json").read_bytes())[
    "classes"
]
OTHER_MEDIA = {
    "chats",
    "cobrowsesessions",
    "emails",
    "internalMessages",
    "messages",
    "screenMonitorings",
    "screenshares",
    "socialExpressions",
    "videos",
    "workflow",
}
TIME = "2022-07-04T20:03:12.235Z"
SCALARS = {"str": "text", "int": 7, "float": 1.5, "bool": True, "datetime": TIME}


def official(value: Any, kind: str) -> Any:
    return sdk.ApiClient()._ApiClient__deserialize(value, kind)


def filled(kind: str, depth: int = 0) -> Any:
    """Make JSON of a class of the schema with every field in it, its enumerations' last values."""
    if listed := re.fullmatch(r"list\[(.*)\]", kind):
        return [filled(listed[1], depth)] if depth < 12 else []
    if kind.startswith("dict("):
        return {"key": "value"}
    if kind in SCALARS:
        return SCALARS[kind]
    return {
        name: field["enum"][-1] if "enum" in field else filled(field["type"], depth + 1)
        for name, field in CLASSES.get(kind, {}).items()
        if name not in OTHER_MEDIA
    }


def same(ours: Any, theirs: Any, path: str = "$") -> int:
    """Compare one of our structs with one of the SDK's objects; give the number of values met."""
    if isinstance(ours, Wire):
        attributes = {wire: name for name, wire in theirs.attribute_map.items()}
        return sum(
            same(
                getattr(ours, field.name),
                getattr(theirs, attributes[field.encode_name]),
                f"{path}.{field.encode_name}",
            )
            for field in msgspec.structs.fields(ours)
            if field.encode_name in attributes and field.type is not Raw
        )
    if isinstance(ours, list) and theirs is not None:
        assert len(ours) == len(theirs), path
        return sum(
            same(mine, other, f"{path}[{index}]")
            for index, (mine, other) in enumerate(zip(ours, theirs, strict=True))
        )
    if isinstance(ours, datetime):
        theirs = theirs.astimezone(UTC)
    if theirs is None and ours is False:
        return 0  # `held` and `skipEnabled` are False where the frame does not say
    assert ours == theirs, path
    return int(theirs is not None)


def test_the_notification() -> None:
    ours = msgspec.json.decode(json.dumps(EVENT), type=ConversationNotification).event_body
    theirs = official(EVENT["eventBody"], "ConversationEventTopicConversation")
    assert same(ours, theirs) > 100


def test_the_rest_conversation() -> None:
    ours = msgspec.json.decode(json.dumps(REST), type=Conversation)
    assert same(ours, official(REST, "Conversation")) > 150


@pytest.mark.parametrize(
    ("kind", "struct"),
    [
        ("Callback", Callback),
        ("CallbackConversation", CallbackConversation),
        ("ConversationEventTopicConversation", Conversation),
        ("QueueConversationEventTopicConversation", Conversation),
        ("ConversationCallbackEventTopicCallbackConversation", CallbackConversation),
        ("QueueConversationCallbackEventTopicCallbackConversation", CallbackConversation),
    ],
)
def test_every_field_of_the_schema(kind: str, struct: type[Wire]) -> None:
    value = filled(kind)
    assert same(msgspec.json.decode(json.dumps(value), type=struct), official(value, kind)) > 25


def test_the_flat_notification() -> None:
    kind = "QueueConversationCallbackEventTopicCallbackConversation"
    frame = {"topicName": "v2.routing.queues.q.conversations.callbacks", "eventBody": filled(kind)}
    ours = msgspec.json.decode(json.dumps(frame), type=CallbackNotification).event_body
    assert same(ours, official(frame["eventBody"], kind)) > 60


def test_a_new_value_is_lost_to_the_sdk_and_kept_by_us() -> None:
    value = {"id": "m", "state": "hovering"}
    ours = msgspec.json.decode(json.dumps(value), type=Callback)
    assert official(value, "Callback").state == UNKNOWN
    assert ours.state == "hovering"
    assert isinstance(ours.state, CommunicationState)
