"""Microsoft Teams: a workflow that begins when a Teams webhook request is received.

It takes an adaptive card. The connectors of before are being retired; those that still work take
the same, and answer `1`.
"""

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from ringback.core.watch.messages import Item, Message, Phase
from ringback.errors import DeliveryError, DeliveryFault
from ringback.sinks.receivers.posting import Target
from ringback.sinks.receivers.wording import Part, Wording, shortened, worst_of

__all__ = ["Teams", "card_of"]

CARD = "application/vnd.microsoft.card.adaptive"
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
VERSION = "1.4"
MOST_BYTES = 20_000
"""Of a card: 28 KB are documented, 21 were found to be the truth."""
MOST_TITLE = 300
COLORS = {"critical": "Attention", "warning": "Warning", "info": "Default"}
MARKS = re.compile(r"([\\`*_\[\]()#~|>])")


class Teams:
    """One channel or chat."""

    refresh_seconds: float | None = None

    def __init__(self, target: Target, wording: Wording) -> None:
        self._target = target
        self._wording = wording

    async def deliver(self, message: Message) -> None:
        """Return when it has the message. Raises `DeliveryError`."""
        attachment = {
            "contentType": CARD,
            "contentUrl": None,
            "content": card_of(message, self._wording),
        }
        body = msgspec.json.encode({"type": "message", "attachments": [attachment]})
        reply = await self._target.post("", body, {})
        # A connector that fails says so in words, and answers 200 nevertheless.
        if reply.status != HTTPStatus.ACCEPTED and reply.body.strip() not in {b"", b"1"}:
            raise DeliveryError(DeliveryFault.GARBAGE, "it does not answer as Teams does")

    async def refresh(self, items: Iterable[Item]) -> None:
        """Nothing: it was told."""

    async def close(self) -> None:
        """Let the connection go."""
        await self._target.close()


def card_of(message: Message, wording: Wording) -> dict[str, Any]:
    """Give a message as an adaptive card of limited size."""
    over = all(item.phase is Phase.RESOLVED for item in message.items)
    color = "Good" if over else COLORS[worst_of(message.items)]
    title = shortened(wording.title(message), MOST_TITLE)
    body = [_text(title, weight="Bolder", size="Medium", color=color)]
    room, left = MOST_BYTES - len(msgspec.json.encode(body)) - 1000, wording.left_out(message)
    for part in wording.parts(message):
        for block in _blocks(part, wording):
            size = len(msgspec.json.encode(block)) + 1
            if size > room:
                left += 1
                break
            room -= size
            body.append(block)
    if left:
        body.append(_text(f"and {left} more groups, or more of them", isSubtle=True))
    link = wording.places.of_group(message.items[0].alert)
    return {
        "$schema": SCHEMA,
        "type": "AdaptiveCard",
        "version": VERSION,
        "msteams": {"width": "Full"},
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open Ringback", "url": link}],
    }


def _blocks(part: Part, wording: Wording) -> Iterator[dict[str, Any]]:
    yield _text(_plain(part.title), weight="Bolder", separator=True)
    for item in part.items:
        links = f"[Ringback]({wording.places.of_callback(item.alert)})"
        platform = wording.places.on_platform(item.alert)
        if platform is not None:
            links += f" [Genesys Cloud]({platform})"
        yield _text(f"{_plain(wording.line(item))} {links}", spacing="Small")
    if part.more:
        yield _text(f"and {part.more} more: [all of them]({part.link})", spacing="Small")


def _text(text: str, **more: str | bool) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **more}


def _plain(text: str) -> str:
    """Let nothing in a text be taken for a mark of its form."""
    return MARKS.sub(r"\\\1", text)
