"""Which topics one channel is to hear, beside what it hears: what is missing, what may go."""

from collections.abc import Callable, Collection

from ringback.sources.genesys.channel import Channel, singles

__all__ = ["Share"]


class Share:
    """The topics of one shard. Instants are on the loop's clock."""

    def __init__(
        self,
        topics: Collection[str],
        *,
        most_topics: int,
        ask_again: float,
        may_drop: Callable[[str], bool],
    ) -> None:
        """`may_drop` says whether a single topic may cease to be heard here.

        It may when nobody wants it, or another shard hears it already. `ask_again` is after how
        many seconds rejected topics are asked for again.
        """
        self.wanted: dict[str, None] = dict.fromkeys(topics)
        """As they are subscribed to, in order."""
        self.ask_again_at = 0.0
        self._most_topics = most_topics
        self._ask_again = ask_again
        self._may_drop = may_drop

    @property
    def singles(self) -> frozenset[str]:
        """The single topics that are wanted."""
        return singles(self.wanted)

    def asked(self, now: float) -> None:
        """Note that all was asked for, what was rejected before included."""
        self.ask_again_at = now + self._ask_again

    def missing(self, channel: Channel, now: float) -> frozenset[str]:
        """Give what is to be asked for now."""
        given_up = channel.rejected.keys() if now < self.ask_again_at else frozenset()
        return frozenset(self.wanted) - channel.topics - given_up

    def fits(self, channel: Channel, missing: frozenset[str]) -> bool:
        """Whether a channel can take topics beside those that it has."""
        return len(channel.topics | missing) <= self._most_topics

    def kept(self, channel: Channel) -> frozenset[str]:
        """Give what is not wanted here any more, but is not heard by another yet."""
        own = singles(channel.topics & self.wanted.keys())
        return frozenset(
            topic
            for topic in channel.topics - self.wanted.keys()
            if not all(map(self._may_drop, singles((topic,)) - own))
        )

    def droppable(self, channel: Channel) -> frozenset[str]:
        """Give what is not wanted any more."""
        return (channel.topics - self.wanted.keys()) - self.kept(channel)

    def reduced(self, channel: Channel) -> Collection[str]:
        """Give what a channel is to be subscribed to in order to drop what it may."""
        # What was rejected is asked for as well, or else it would look as if it never was.
        rejected = channel.rejected.keys() & self.wanted.keys()
        return (channel.topics - self.droppable(channel)) | rejected

    def target(self, channel: Channel) -> Collection[str]:
        """Give what one that takes a channel's place is to be subscribed to."""
        both = self.wanted | dict.fromkeys(self.kept(channel))
        return both if len(both) <= self._most_topics else self.wanted
