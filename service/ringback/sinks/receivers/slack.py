"""Slack, and what takes the same messages: an incoming webhook for one channel."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ringback.core.watch.messages import Item, Message
from ringback.errors import DeliveryError, DeliveryFault
from ringback.sinks.receivers.posting import Target
from ringback.sinks.receivers.wording import Part, Wording, shortened

__all__ = ["Slack", "blocks_of"]

MOST_HEADER = 150
MOST_SECTION = 3000
MOST_IN_ALL = 10_000
"""Characters of all blocks together: Slack documents no limit, and refuses from 13,000 or so."""
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack:
    """One channel."""

    refresh_seconds: float | None = None

    def __init__(self, target: Target, wording: Wording) -> None:
        self._target = target
        self._wording = wording

    async def deliver(self, message: Message) -> None:
        """Return when it has the message. Raises `DeliveryError`."""
        title = self._wording.title(message)
        body = {
            "text": title.translate(ESCAPES),
            "blocks": list(blocks_of(message, self._wording)),
            "unfurl_links": False,
        }
        reply = await self._target.post("", msgspec.json.encode(body), {})
        if reply.body.strip() != b"ok":
            raise DeliveryError(DeliveryFault.GARBAGE, "it does not answer as Slack does")

    async def refresh(self, items: Iterable[Item]) -> None:
        """Nothing: it was told."""

    async def close(self) -> None:
        """Let the connection go."""
        await self._target.close()


def blocks_of(message: Message, wording: Wording) -> Iterator[dict[str, Any]]:
    """Give the blocks of a message."""
    title = shortened(wording.title(message), MOST_HEADER)
    yield {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    room, left = MOST_IN_ALL, wording.left_out(message)
    for part in wording.parts(message):
        text = _section(part, wording, min(MOST_SECTION, room))
        if not text:
            left += 1
            continue
        room -= len(text)
        yield {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    if left:
        link = f"<{wording.places.dashboard()}/|all of them>"
        yield {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": f"and {left} more groups: {link}"}],
        }


def _section(part: Part, wording: Wording, room: int) -> str:
    """Word one group in so many characters; nothing if there is no room for that."""
    end = f"\nand %d more: <{part.link}|all of them>"
    text = f"*{part.title.translate(ESCAPES)}*"
    more = part.more
    if len(text) + len(end) + len(str(more)) > room:
        return ""
    for number, item in enumerate(part.items):
        line = f"\n• {wording.line(item).translate(ESCAPES)} {_links(item, wording)}"
        if len(text) + len(line) + len(end) + len(str(more)) > room:
            more += len(part.items) - number
            break
        text += line
    return text + (end % more if more else "")


def _links(item: Item, wording: Wording) -> str:
    links = f"<{wording.places.of_callback(item.alert)}|Ringback>"
    platform = wording.places.on_platform(item.alert)
    return links if platform is None else f"{links} <{platform}|Genesys Cloud>"
