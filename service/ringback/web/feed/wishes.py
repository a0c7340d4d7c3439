"""What a reader of the feed asks for: from where, and which events."""

from typing import Annotated, Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException
from msgspec import Meta

from ringback.core.events import EVENT_TYPES, AlertData, CallbackData, Event
from ringback.core.lifecycle import State
from ringback.web.api.asking import read_query

__all__ = ["FeedQuery", "Wish", "read_wish", "start_of"]

MOST_POSITION = 2**63 - 1
ANY = "*"

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=200)]


class FeedQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked for. Lists may be repeated or separated by commas."""

    type: Annotated[
        Texts, Meta(description="Types of events, whole or their beginning with `*` at its end.")
    ] = ()
    queue: Annotated[
        Texts, Meta(description="Ids of queues. Events of sources pass, whatever is given.")
    ] = ()
    state: Annotated[
        Annotated[tuple[State, ...], Meta(max_length=20)],
        Meta(description="States of callbacks. Events of sources pass, whatever is given."),
    ] = ()
    after: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=MOST_POSITION,
                description="The position of the last entry that is known. Without it, and without"
                " the header `Last-Event-ID`, which counts for more: the present.",
            ),
        ]
        | None
    ) = None


class Wish(msgspec.Struct, frozen=True):
    """Which events are asked for. Equal ones are answered by the same work."""

    types: frozenset[str] | None = None
    """None: any."""
    queues: frozenset[str] | None = None
    states: frozenset[str] | None = None

    @property
    def all(self) -> bool:
        """Whether nothing is left out."""
        return self.types is None and self.queues is None and self.states is None

    def takes(self, event: Event) -> bool:
        """Whether an event is asked for."""
        if self.types is not None and event.type not in self.types:
            return False
        data = event.data
        if not isinstance(data, CallbackData | AlertData):
            return True
        if isinstance(data, AlertData) and data.source:
            return True
        if self.queues is not None and data.queue_id not in self.queues:
            return False
        return self.states is None or data.state in self.states


def read_wish(query: FeedQuery) -> Wish:
    """Make out what a query asks for. Raises `ClientException`."""
    types: set[str] = set()
    for text in query.type:
        found = {kind for kind in EVENT_TYPES if _matches(kind, text)}
        if not found:
            raise ClientException(f"type: no event is of {text}; see /api/v1/schemas")
        types |= found
    return Wish(
        frozenset(types) if types else None,
        frozenset(query.queue) if query.queue else None,
        frozenset(map(str, query.state)) if query.state else None,
    )


def start_of(connection: ASGIConnection[Any, Any, Any, Any]) -> tuple[Wish, int | None]:
    """Read what is asked for, and after which position, None for the present.

    What a browser sends as it reconnects counts for more than the address, which stays the same.
    """
    query = read_query(connection, FeedQuery)
    wish = read_wish(query)
    last = connection.headers.get("last-event-id", "").strip()
    if not last:
        return wish, query.after
    if not (last.isascii() and last.isdigit()) or int(last) > MOST_POSITION:
        raise ClientException("Last-Event-ID: it is no position")
    return wish, int(last)


def _matches(kind: str, text: str) -> bool:
    return kind.startswith(text[:-1]) if text.endswith(ANY) else kind == text
