"""Looks at everything that following an organisation needs, and says what to mend.

Changes nothing, but for one channel that is made to try the topics, and lapses by itself.
"""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec

from ringback.errors import PlatformError, PlatformFault, SourceError
from ringback.ports import Clock
from ringback.sources.findings import Finding, Level
from ringback.sources.genesys.client import Answer, RestClient, read_as
from ringback.sources.genesys.exchange import proxy_for
from ringback.sources.genesys.patterns import Patterns
from ringback.sources.genesys.permissions import (
    available_topics,
    disconnects,
    reads,
    some,
    try_topics,
)
from ringback.sources.genesys.plan import (
    MOST_CHANNELS,
    WHAT,
    ChannelPlan,
    TopicChoice,
    count_channels,
    needed,
    topics_of,
)
from ringback.sources.genesys.queues import PAGE_SIZE, Discovery, discover, refuse_none
from ringback.wire.rest import TokenInfo
from ringback.wire.topics import queue_topic
from ringback.wire.values import Reference, Wire

__all__ = ["Check"]

TOKEN = "/api/v2/tokens/me"  # noqa: S105  # a path
ORGANISATION = "/api/v2/organizations/me"
SKEW_TOLD = timedelta(seconds=2)
SKEW_WRONG = timedelta(seconds=60)
NTP = "set it by NTP (timedatectl set-ntp true): waits and due times are reckoned with it"
A_SECOND = timedelta(seconds=1)
"""The `Date` header's grain."""
ELSEWHERE = {PlatformFault.NOT_FOUND, PlatformFault.FORBIDDEN, PlatformFault.REFUSED}
"""The API is there, and only will not answer this."""


class _Organisation(Wire):
    id: str | None = None
    name: str | None = None


class Check:
    """One check of one OAuth client. `findings` are in the order in which things are needed."""

    def __init__(
        self,
        client: RestClient,
        *,
        clock: Clock,
        client_id: str,
        region: str,
        patterns: Patterns,
        topics: TopicChoice,
        most_channels: int,
        cleanup: bool = False,
    ) -> None:
        """`region` is its name, for people; `cleanup` says whether conversations may be ended."""
        self.findings: list[Finding] = []
        self._client = client
        self._clock = clock
        self._client_id = client_id
        self._region = region
        self._patterns = patterns
        self._topics: TopicChoice = topics
        self._most_channels = most_channels
        self._cleanup = cleanup

    async def run(self) -> list[Finding]:
        """Look at all of it; what cannot be looked at for want of something else is left out."""
        self._where()
        try:
            await self._client.log_in()
        except PlatformError as error:
            self._failed("login", error)
            return self.findings
        self._add(Level.OK, "login", f"client {self._client_id} is logged in, {self._token_life()}")
        answer = await self._who()
        if answer is None:
            return self.findings
        self._time(answer, self._clock.now())
        discovery = await self._queues()
        if discovery is not None:
            await self._channels(discovery)
        ids = [] if discovery is None else list(discovery.queues)
        self.findings += await reads(self._client, ids, self._clock.now())
        if self._cleanup:
            self.findings.append(await disconnects(self._client))
        self._budget(discovery)
        return self.findings

    def _where(self) -> None:
        hosts = self._client.hosts
        login, api = (urlsplit(url).netloc for url in (hosts.login_url, hosts.api_url))
        way = " through the proxy that the environment names" if proxy_for(hosts.api_url) else ""
        self._add(Level.OK, "region", f"{self._region}: login {login}, API {api}{way}")

    def _token_life(self) -> str:
        made, expires = self._client.token_made_at, self._client.token_expires
        if made is None or expires is None:
            return "without an end"
        return f"with a token for {(expires - made).total_seconds() / 3600:.3g} hours"

    async def _who(self) -> Answer | None:
        """Say whose client it is; give an answer of the API, or None if it does not answer."""
        try:
            answer = await self._client.request("GET", TOKEN)
            info = read_as(answer, TokenInfo, f"GET {TOKEN}")
            self._organisation(info.organization)
        except PlatformError as error:
            if error.fault not in ELSEWHERE:
                self._failed("API", error)
                return None
        else:
            return answer
        try:
            answer = await self._client.request("GET", ORGANISATION)
            found = read_as(answer, _Organisation, f"GET {ORGANISATION}")
            self._organisation(Reference(id=found.id, name=found.name))
        except PlatformError as error:
            self._failed("organisation", error, Level.WARN)
            return None if error.fault not in ELSEWHERE else self._unknown_time()
        return answer

    def _organisation(self, found: Reference | None) -> None:
        name, id_ = (found.name, found.id) if found is not None else (None, None)
        self._add(
            Level.OK, "organisation", f"{name or 'without a name'} ({id_ or 'without an id'})"
        )

    def _unknown_time(self) -> Answer:
        return Answer(0, b"", self._clock.now(), None)

    def _time(self, answer: Answer, now: datetime) -> None:
        """Compare clocks. The header says whole seconds, and the way takes its own time."""
        if answer.date is None:
            problem, remedy = "the platform does not say what time it has", NTP
            self._add(Level.WARN, "clock", problem, remedy)
            return
        ahead = max(timedelta(), answer.date - now)
        behind = max(timedelta(), answer.sent_at - answer.date - A_SECOND)
        skew = max(ahead, behind)
        seconds = f"{skew.total_seconds():.0f} seconds"
        which = "behind" if ahead else "ahead of"
        level = Level.FAIL if skew >= SKEW_WRONG else Level.WARN
        if skew <= SKEW_TOLD:
            self._add(Level.OK, "clock", f"within {SKEW_TOLD.seconds} seconds of the platform's")
            return
        self._add(
            level,
            "clock",
            f"this machine's clock is {seconds} {which} the platform's",
            NTP,
        )

    async def _queues(self) -> Discovery | None:
        about = "queues"
        try:
            discovery = await discover(self._client, self._patterns)
            refuse_none("", discovery, self._patterns)
        except PlatformError as error:
            self._failed(about, error)
            return None
        except SourceError as error:
            # What it says, without naming a source.
            problem, _, remedy = str(error).removeprefix("source : ").partition("; ")
            self._add(Level.FAIL, about, problem, remedy)
            return None
        names = [queue.name for queue in discovery.queues.values()]
        self._add(
            Level.OK,
            about,
            f"{len(names)} of the {len(discovery.names)} that the client sees are meant:"
            f" {some(names, 5)}",
        )
        if not discovery.complete:
            self._add(
                Level.WARN,
                about,
                "the platform's pages do not add up to the number that it says",
                "it is read again every [genesys] queues_every_seconds",
            )
        return discovery

    async def _channels(self, discovery: Discovery) -> None:
        topics = [
            topic for queue_id in discovery.queues for topic in topics_of(queue_id, self._topics)
        ]
        patterns = [queue_topic("{id}", what) for what in WHAT[self._topics]]
        self.findings.append(await available_topics(self._client, patterns))
        try:
            others = await count_channels(self._client)
        except PlatformError as error:
            self._failed("channels", error)
            return
        self._fit(ChannelPlan(len(topics), needed(len(topics)), self._most_channels, others))
        if others >= MOST_CHANNELS:
            self._add(
                Level.WARN,
                "topics",
                "they are not tried: that takes a channel, and one that is in use would have to go",
                "try again when some have lapsed, or stop who uses them",
            )
            return
        names = {queue.id: queue.name for queue in discovery.queues.values()}
        try:
            self.findings += await try_topics(self._client, topics, names)
        except PlatformError as error:
            self._failed("topics", error)

    def _fit(self, plan: ChannelPlan) -> None:
        about = "channels"
        alone = msgspec.structs.replace(plan, others=0)
        if (found := alone.problem()) is not None:
            self._add(Level.FAIL, about, *found)
        elif (found := plan.problem()) is not None:
            problem, remedy = found
            # They may be those of a daemon that runs, or of a former one.
            self._add(Level.WARN, about, f"{problem}, if only by this daemon itself", remedy)
        else:
            self._add(
                Level.OK,
                about,
                f"{plan.topics} topics take {plan.channels}, and one more at times; of"
                f" {MOST_CHANNELS}, {plan.others} are in use",
            )

    def _budget(self, discovery: Discovery | None) -> None:
        client, about = self._client, "requests"
        if client.throttled:
            self._add(
                Level.WARN,
                about,
                f"the platform said {client.throttled} times that it were too many",
                "lower [genesys] requests_per_minute: others use this client, too",
            )
        pages = -(-len(discovery.names) // PAGE_SIZE) if discovery is not None else 1
        spent = sum(client.budget.spent.values())
        self._add(
            Level.OK,
            about,
            f"{client.budget.per_minute} a minute are allowed by settings; this check took {spent},"
            f" reading the queues takes {max(1, pages)} each time",
        )

    def _add(self, level: Level, about: str, text: str, remedy: str = "") -> None:
        self.findings.append(Finding(level, about, text, remedy))

    def _failed(self, about: str, error: PlatformError, level: Level = Level.FAIL) -> None:
        self._add(level, about, f"{error.request}: {error.problem}", error.remedy)
