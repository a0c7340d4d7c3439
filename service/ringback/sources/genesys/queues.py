"""Finds the queues to follow, with their settings, and says what has changed since."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ringback.core.snapshots import QueueSettings
from ringback.errors import PlatformError, PlatformFault, SourceError
from ringback.sources.genesys.client import RestClient, Urgency, read_as
from ringback.sources.genesys.patterns import Patterns
from ringback.wire.inputs import Queue, queue_settings
from ringback.wire.rest import QueuePage

__all__ = ["Difference", "Discovery", "FollowedQueue", "difference", "discover", "refuse_none"]

PATH = "/api/v2/routing/queues"
REQUEST = f"GET {PATH}"
PAGE_SIZE = 100
MOST_PAGES = 1000
TRIES = 3
"""Pages shift when a queue comes or goes while they are read; then all are read again."""


class FollowedQueue(msgspec.Struct, frozen=True):
    """One queue that is meant."""

    id: str
    name: str
    division: str
    """Its division's name; empty if not told."""
    settings: QueueSettings


class Discovery(msgspec.Struct, frozen=True):
    """What was found."""

    queues: Mapping[str, FollowedQueue]
    """Those that are meant, by id."""
    names: Sequence[str]
    """Of all that the client may see, meant or not."""
    complete: bool
    """Whether as many were read as the platform says there are. If not, one that is missing proves
    nothing."""


class Difference(msgspec.Struct, frozen=True):
    """What to do about a later discovery."""

    appeared: Sequence[FollowedQueue]
    vanished: Sequence[str]
    """Ids: deleted, renamed out of what is meant, or out of the client's sight."""
    changed: Sequence[FollowedQueue]
    """Those with other settings than before."""


async def discover(
    client: RestClient, patterns: Patterns, urgency: Urgency = Urgency.ROUTINE
) -> Discovery:
    """Read all pages. Raises `PlatformError`; then nothing is known, and least of all an end."""
    seen, complete = dict[str, Queue](), False
    for _ in range(TRIES):
        seen, total = await _read(client, urgency)
        complete = total is None or len(seen) == total
        if complete:
            break
    return Discovery(
        {queue.id: _followed(queue) for queue in seen.values() if patterns.match(queue)},
        sorted(queue.name or queue.id for queue in seen.values()),
        complete,
    )


async def _read(client: RestClient, urgency: Urgency) -> tuple[dict[str, Queue], int | None]:
    """Read all pages; give the queues, and how many the last page says there are."""
    seen: dict[str, Queue] = {}
    number = 1
    while number <= MOST_PAGES:
        answer = await client.request(
            "GET",
            PATH,
            query={"pageSize": str(PAGE_SIZE), "pageNumber": str(number)},
            urgency=urgency,
        )
        page = read_as(answer, QueuePage, REQUEST)
        queues = page.entities
        last = _last(page, number)
        if queues is None or (not queues and not last):
            raise _partial(f"page {number} of them is missing")
        seen |= {queue.id: queue for queue in queues}
        if last:
            return seen, page.total
        number += 1
    raise _partial(f"there are more than {MOST_PAGES} pages")


def _last(page: QueuePage, number: int) -> bool:
    if page.page_count is not None:
        return number >= page.page_count
    return len(page.entities or ()) < (page.page_size or PAGE_SIZE)


def _partial(problem: str) -> PlatformError:
    return PlatformError(
        PlatformFault.WRONG_SHAPE,
        REQUEST,
        problem,
        "it is read again later; those that are followed already stay so",
    )


def _followed(queue: Queue) -> FollowedQueue:
    division = queue.division
    return FollowedQueue(
        queue.id,
        queue.name or queue.id,
        (division.name or division.id or "") if division is not None else "",
        queue_settings(queue),
    )


def difference(old: Mapping[str, FollowedQueue], new: Discovery) -> Difference:
    """Say what has changed.

    Only a complete discovery makes a queue vanish, and never all of them at once: that is what a
    lost permission looks like, and to go on listening costs nothing.
    """
    believed = new.complete and bool(new.queues)
    return Difference(
        [queue for id_, queue in new.queues.items() if id_ not in old],
        [id_ for id_ in old if id_ not in new.queues] if believed else [],
        [
            queue
            for id_, queue in new.queues.items()
            if id_ in old and queue.settings != old[id_].settings
        ],
    )


def refuse_none(source: str, discovery: Discovery, patterns: Patterns) -> None:
    """Raise `SourceError` if no queue is meant, with what there is."""
    if discovery.queues:
        return
    if not discovery.names:
        raise SourceError(
            source,
            "the OAuth client sees no queue at all",
            "give it a role with routing:queue:view, for the divisions of the queues",
        )
    raise SourceError(
        source,
        f"no queue is meant: none of the {len(discovery.names)} that the client sees matches"
        f" queues {patterns.meant!r} except {patterns.excepted!r}",
        f"correct [genesys] queues; there are {_some(patterns.meant, discovery.names)}",
    )


def _some(meant: str, names: Sequence[str], most: int = 5) -> str:
    """Name a few queues, the most similar ones first."""
    lower: dict[str, str] = {name.lower(): name for name in names}
    wanted: Iterable[str] = (entry.strip(" *?").lower() for entry in meant.split(","))
    similar = [
        lower[each] for entry in wanted for each in difflib.get_close_matches(entry, lower, n=most)
    ]
    chosen = list(dict.fromkeys([*similar, *names]))[:most]
    more = len(names) - len(chosen)
    return ", ".join(map(repr, chosen)) + (f" and {more} more" if more else "")
