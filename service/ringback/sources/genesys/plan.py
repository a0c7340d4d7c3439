"""How topics are spread over channels, and whether these channels may be had."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from ringback.errors import SourceError
from ringback.sources.genesys.client import RestClient, Urgency, read_as
from ringback.wire.rest import Channels, entities
from ringback.wire.topics import CALLBACKS, CONVERSATIONS, combine, queue_topic

__all__ = [
    "MOST_CHANNELS",
    "MOST_TOPICS",
    "SPARE",
    "ChannelPlan",
    "TopicChoice",
    "count_channels",
    "needed",
    "shards",
    "topics_of",
]

MOST_TOPICS = 1000
"""On one channel, a combined one counted as one."""
MOST_CHANNELS = 20
"""For one OAuth client, whoever uses it."""
SPARE = 1
"""A channel is replaced by a new one that is there before the old one goes."""
DISSOLVE_BELOW = 0.8
"""A shard is dissolved when the others would then be no fuller than this: so not to and fro."""

TopicChoice = Literal["conversations", "callbacks", "both"]

WHAT = {
    "conversations": (CONVERSATIONS,),
    "callbacks": (CALLBACKS,),
    "both": (CONVERSATIONS, CALLBACKS),
}


def topics_of(queue_id: str, choice: TopicChoice) -> list[str]:
    """Give the topics, as they are subscribed to, that follow a queue."""
    return combine(queue_topic(queue_id, what) for what in WHAT[choice])


def needed(topics: int, most_topics: int = MOST_TOPICS) -> int:
    """Say how many channels so many topics take."""
    return -(-topics // most_topics)


def shards(
    topics: Iterable[str],
    present: Sequence[Collection[str]] = (),
    *,
    most_topics: int = MOST_TOPICS,
    most_shards: int = MOST_CHANNELS - SPARE,
) -> list[list[str]]:
    """Spread topics over channels: a topic stays where it is, a new one goes where there is room.

    Gives a list for each of `present`, in that order, then those that are new; one that is not
    needed any more is empty. As few channels change as may be. `most_shards` makes it pack tightly
    when there would be more; it never drops a topic.
    """
    wanted = dict.fromkeys(topics)
    placed: set[str] = set()
    result: list[list[str]] = []
    for shard in present:
        kept = [topic for topic in shard if topic in wanted and topic not in placed]
        result.append(kept)
        placed.update(kept)
    homeless = [topic for topic in wanted if topic not in placed]
    _settle(homeless, result, most_topics)
    while (smallest := _dissoluble(result, most_topics, most_shards)) is not None:
        homeless, result[smallest] = result[smallest], []
        _settle(homeless, result, most_topics, closed=smallest)
    return result


def _settle(
    homeless: list[str], result: list[list[str]], most_topics: int, closed: int | None = None
) -> None:
    """Give each a place, the fullest shards with room first, so that as few as may be change."""
    order = sorted(range(len(result)), key=lambda index: -len(result[index]))
    for index in order:
        if index != closed and result[index]:
            room = max(0, most_topics - len(result[index]))
            result[index].extend(homeless[:room])
            del homeless[:room]
    empty = [shard for index, shard in enumerate(result) if not shard and index != closed]
    while homeless:
        if empty:
            shard = empty.pop(0)
        else:
            shard = []
            result.append(shard)
        shard.extend(homeless[:most_topics])
        del homeless[:most_topics]


def _dissoluble(result: list[list[str]], most_topics: int, most_shards: int) -> int | None:
    """Find the smallest shard, if the others can well take its topics."""
    used = [index for index, shard in enumerate(result) if shard]
    total, rest = sum(map(len, result)), len(used) - 1
    if rest < 1:
        return None
    full = 1.0 if len(used) > most_shards else DISSOLVE_BELOW
    if total > rest * most_topics * full:
        return None
    return min(used, key=lambda index: len(result[index]))


class ChannelPlan(msgspec.Struct, frozen=True):
    """What channels are needed, and what there is."""

    topics: int
    channels: int
    """For these topics, without the spare one."""
    most_channels: int
    """What settings allow."""
    others: int
    """Channels of the client that are not this daemon's, as far as is known."""

    @property
    def wanted(self) -> int:
        """How many there are at the most while one is replaced."""
        return self.channels + SPARE

    @property
    def free(self) -> int:
        """How many may be used beside the others."""
        return max(0, min(self.most_channels, MOST_CHANNELS - self.others))

    def problem(self) -> tuple[str, str] | None:
        """Say what does not fit and what to do about it; None when all fits."""
        need = (
            f"{self.topics} topics take {self.channels} channels, and {SPARE} more to replace one"
            f" without a gap: {self.wanted}"
        )
        if self.wanted > MOST_CHANNELS:
            problem = f"{need}; the platform allows a client {MOST_CHANNELS}"
            remedy = (
                "follow fewer queues with this one ([genesys] queues), and the others with another"
                " Ringback that has an OAuth client and a store of its own"
            )
            return problem, remedy
        if self.wanted > self.most_channels:
            problem = f"{need}; [genesys] most_channels allows {self.most_channels}"
            return problem, f"raise it to {self.wanted}, or follow fewer queues"
        if self.wanted > self.free:
            problem = (
                f"{need}; of the {MOST_CHANNELS} that the platform allows a client, {self.others}"
                " are in use already"
            )
            remedy = (
                "give Ringback an OAuth client of its own; channels that nobody renews any more"
                " lapse within 24 hours"
            )
            return problem, remedy
        return None

    def refuse(self, source: str) -> None:
        """Raise `SourceError` when it does not fit: less than all is never followed silently."""
        if (found := self.problem()) is not None:
            raise SourceError(source, *found)


async def count_channels(client: RestClient, urgency: Urgency = Urgency.CHANNEL) -> int:
    """Count all channels of the OAuth client, this daemon's own among them.

    Raises `PlatformError`.
    """
    path = "/api/v2/notifications/channels"
    answer = await client.request(
        "GET", path, query={"includechannels": "oauthclient"}, urgency=urgency
    )
    read_as(answer, Channels, f"GET {path}")
    return entities(answer.body)  # those of other tokens may say nothing, and count all the same
