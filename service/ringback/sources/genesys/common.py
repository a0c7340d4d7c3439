"""What the shards of one source share: their means, their pace, their room, and what is counted."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
import structlog

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.genesys.channel import Channel, Means, Rejection, singles
from ringback.sources.genesys.ends import End, Ended
from ringback.sources.genesys.evictions import Evictions

__all__ = ["Common", "Pace", "Places", "Reason", "Rejections", "Troubles"]

log = structlog.get_logger(__name__)

DENIED = {PlatformFault.CREDENTIALS, PlatformFault.UNAUTHORIZED, PlatformFault.FORBIDDEN}
"""What nobody but a person can mend."""


class Reason(StrEnum):
    """Why a channel that hears is replaced. A closed set, so that it can label a metric."""

    AGE = "age"
    CLOSING = "socket_closing"
    TOKEN = "token"  # noqa: S105  # not a password
    """There is a new token; the channels of the old one end with it."""
    SUSPECTED = "suspected"
    """It lives, but does not bring what it should."""


class Pace(msgspec.Struct, frozen=True):
    """When things are done; seconds."""

    renew: float
    """A channel is replaced after so long, or up to a fifth earlier: so not all are at once."""
    first_wait: float = 0.5
    most_wait: float = 30.0
    """Where the doubling of waits between attempts ends."""
    denied_wait: float = 60.0
    """Between attempts where only a person can help."""
    overlap: float = 1.5
    """A channel that was replaced is read on for so long: what is under way arrives."""
    explain: float = 2.0
    """How long the platform may take to say whether a channel still exists."""
    ask_again: float = 3600.0
    """After so long, topics that were rejected are asked for again."""


class Places:
    """How many channels there may be beside those that hear; a replacement takes a place."""

    def __init__(self, spare: Callable[[], int]) -> None:
        self.taken = 0
        self._spare = spare
        self._free = asyncio.Event()

    async def take(self) -> None:
        """Wait for a place."""
        while self.taken >= self._spare():
            self._free.clear()
            await self._free.wait()
        self.taken += 1

    def give_back(self) -> None:
        """Let another have it."""
        self.taken -= 1
        self._free.set()

    def look(self) -> None:
        """See whether there are more than there were."""
        self._free.set()


class Rejections:
    """Topics that the platform will not let us hear; each is logged once."""

    def __init__(self, refuse: Callable[[Collection[str]], None]) -> None:
        """`refuse` is told of all of them, as single topics, whenever they change."""
        self._refuse = refuse
        self.present: dict[str, Rejection] = {}
        """By the topic's name; there are no more than topics that are wanted."""

    def note(self, rejected: Iterable[Rejection], heard: Iterable[str]) -> None:
        """Take in what came of asking."""
        before = self.present.keys() | set()
        for topic in heard:
            if self.present.pop(topic, None) is not None:
                log.info("topic_permitted", topic=topic)
        for each in rejected:
            if each.topic not in self.present:
                log.warning(
                    "topic_rejected",
                    topic=each.topic,
                    missing_permissions=list(each.missing_permissions),
                    reason=each.reason,
                )
            self.present[each.topic] = each
        if self.present.keys() != before:
            self._refuse(singles(self.present))

    def forget(self, wanted: Collection[str]) -> None:
        """Forget what is not wanted any more."""
        gone = self.present.keys() - set(wanted)
        for topic in gone:
            del self.present[topic]
        if gone:
            self._refuse(singles(self.present))


class Troubles:
    """What the platform refuses, logged once until something succeeds again."""

    def __init__(self, denied_wait: float, chance: random.Random) -> None:
        self._denied_wait = denied_wait
        self._chance = chance
        self._denied_until = 0.0
        self._told: set[PlatformFault] = set()

    def note(self, error: PlatformError) -> None:
        """Take in one."""
        if error.fault not in self._told:
            self._told.add(error.fault)
            log.warning("platform_refuses", problem=error.problem, remedy=error.remedy)
        now = asyncio.get_running_loop().time()
        if error.fault in DENIED and now >= self._denied_until:
            self._denied_until = now + self._denied_wait * self._chance.uniform(0.5, 1)

    def pause(self) -> float:
        """Say for how many seconds nobody should try, where only a person can help.

        All wait for the same moment, so that they share one login.
        """
        return max(0.0, self._denied_until - asyncio.get_running_loop().time())

    def over(self) -> None:
        """Something succeeded."""
        self._told.clear()


class Common:
    """Made once for all shards."""

    def __init__(
        self,
        means: Means,
        pace: Pace,
        chance: random.Random,
        *,
        spare: Callable[[], int],
        retire: Callable[[Channel], None],
        changed: Callable[[], None],
        may_hear: Callable[[object], bool],
        may_drop: Callable[[object, str], bool],
        wanted: Callable[[str], bool],
        most_topics: int,
    ) -> None:
        """Take what the fleet does for its shards.

        `retire` reads a channel on for a moment and closes it; `changed` is told when a shard hears
        other topics than before; `may_hear` says whether a shard may have a channel. Of a single
        topic `may_drop` says whether a shard may cease to hear it, and `wanted` whether anybody
        wants it.
        """
        self.means = means
        self.pace = pace
        self.chance = chance
        self.places = Places(spare)
        self.evictions = Evictions(chance)
        self.rejections = Rejections(means.hearer.refuse)
        self.troubles = Troubles(pace.denied_wait, chance)
        self.retire = retire
        self.changed = changed
        self.may_hear = may_hear
        self.may_drop = may_drop
        self.wanted = wanted
        self.most_topics = most_topics
        """Of one channel."""
        self.connects = 0
        """How often a channel came to hear, replacements included."""
        self.renewals: Counter[Reason] = Counter()
        """Channels replaced without a gap."""
        self.cuts: Counter[End] = Counter()
        """Channels that ended unplanned."""
        self.failures: Counter[End] = Counter()
        """Attempts that failed."""

    def pause(self, ended: Ended) -> float | None:
        """Say how long to wait after an end that is special; None for the usual ones."""
        if ended.end is End.EVICTED and self.evictions.looping:
            return self.evictions.pause()
        if ended.trouble is not None and ended.trouble.fault in DENIED:
            return self.troubles.pause()
        return None

    def wall(self, at: float) -> datetime:
        """Give an instant of the loop's clock on the wall clock."""
        ago = asyncio.get_running_loop().time() - at
        return self.means.clock.now() - timedelta(seconds=ago)
