"""Decoding one notification: ours typed, the official SDK's own decoder, orjson to dicts."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import orjson

from bench.result import Figure, best_of
from ringback.wire.conversations import ConversationNotification

FRAME = "ws_user_conversations_callback_agent_disconnected_acw_pending.json"
DATA = Path(__file__).parents[1] / "data" / "frames" / FRAME


def measure() -> Iterator[Figure]:
    """Give the two ratios."""
    frame = msgspec.json.encode(msgspec.json.decode(DATA.read_bytes()))
    typed = msgspec.json.Decoder(ConversationNotification).decode

    def ours() -> None:
        for _ in range(2000):
            typed(frame)

    def untyped() -> None:
        for _ in range(2000):
            orjson.loads(frame)

    from PureCloudPlatformClientV2 import ApiClient

    body = msgspec.json.encode(msgspec.json.decode(frame)["eventBody"])
    # Private to the SDK, and the only way in without an HTTP response around the body.
    deserialize = ApiClient()._ApiClient__deserialize

    def sdk() -> None:
        for _ in range(50):
            deserialize(json.loads(body), "ConversationEventTopicConversation")

    ours_us, orjson_us = (best_of(7, work) / 2000 * 1e6 for work in (ours, untyped))
    sdk_us = best_of(5, sdk) / 50 * 1e6
    yield Figure(
        "decode, every field, against the official SDK",
        sdk_us / ours_us,
        "times as fast",
        120,
        at_least=True,
        detail=f"{ours_us:.1f} µs against {sdk_us:.0f} µs, {len(frame)} bytes",
    )
    yield Figure(
        "decode, every field, against orjson.loads to dicts",
        orjson_us / ours_us,
        "times as fast",
        1.0,
        at_least=True,
        detail=f"{ours_us:.1f} µs against {orjson_us:.1f} µs",
    )
