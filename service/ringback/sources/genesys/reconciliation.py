"""Compares what is known with the platform: bulk reads all round, single reads where they differ.

After a gap, and now and then without one. Surveys confirm what agrees, a few requests for hundreds
of callbacks; what differs, is missing or is new is read singly, most urgent first. A failed read
proves nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import count

import msgspec
import structlog

from ringback.errors import PlatformError, PlatformFault
from ringback.ports import Clock, Intake, Reading
from ringback.sources.genesys.client import RestClient, Urgency
from ringback.sources.genesys.queries import (
    PAGE,
    QUEUES_A_QUERY,
    begun_query,
    observations_query,
    open_query,
)

__all__ = ["Reconciliation"]

log = structlog.get_logger(__name__)

OBSERVATIONS = "/api/v2/analytics/queues/observations/query"
DETAILS = "/api/v2/analytics/conversations/details/query"
CONVERSATION = "/api/v2/conversations/"
MOST_PAGES = 300
AT_ONCE = 8
"""Single reads under way at once."""
IDLE_SECONDS = 10.0
"""Between two looks for what is wanted, when nothing was and nothing has happened."""
AFTER_GAP_SECONDS = (0.0, 8.0, 12.0, 15.0, 13.0)
"""Pauses before the surveys that follow a gap: bulk reads lag, so the first may not know yet."""
BLIND_SECONDS = 60.0
"""Between two surveys while a gap lasts: they are all that is known then."""
RETENTION = timedelta(hours=24)
"""What began and ended longer ago is not looked for."""
BEFORE = timedelta(minutes=20)
"""A conversation may be under way for long before a callback is that begins and ends in a gap."""
FAILED_SECONDS = 5.0
"""How long reads rest when none of those under way could be done."""
REFUSED_SECONDS = 60.0
"""How long reads rest once the platform has refused them for good."""

FATAL = {PlatformFault.CREDENTIALS, PlatformFault.UNAUTHORIZED, PlatformFault.FORBIDDEN}


class _Paged(msgspec.Struct):
    conversations: list[msgspec.Raw] = []


class Reconciliation:
    """Keeps surveying and reading. `failures` counts what failed, by what the matter was."""

    def __init__(
        self,
        client: RestClient,
        clock: Clock,
        *,
        queue_ids: Callable[[], Sequence[str]],
        every: float,
        missed: Callable[[frozenset[str]], None],
    ) -> None:
        """Survey `queue_ids` every so many seconds, and when asked to.

        `missed` is told of the queues in which a single read has shown what no frame had told.
        """
        self.surveys = 0
        self.reads = 0
        self.failures: Counter[str] = Counter()
        self.problem: str | None = None
        """Why nothing can be read; None when it can."""
        self._client = client
        self._clock = clock
        self._queue_ids = queue_ids
        self._every = every
        self._missed = missed
        self._asked = asyncio.Event()
        self._news = asyncio.Event()
        self._failing = False
        self._missed_since: datetime | None = None

    def ask(self, since: datetime | None) -> None:
        """Survey now, and again while bulk reads may still lag: a gap has ended.

        What began `since` then may have been missed altogether.
        """
        if since is not None:
            self._missed_since = min(since, self._missed_since or since)
        self._asked.set()
        self._news.set()

    async def run(self, intake: Intake) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._survey_forever(intake), name="genesys.survey")
            tasks.create_task(self._read_forever(intake), name="genesys.read")

    async def _survey_forever(self, intake: Intake) -> None:
        self._asked.set()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience(intake)):
                    await self._asked.wait()
            pauses: Iterable[float] = AFTER_GAP_SECONDS if self._asked.is_set() else (0.0,)
            self._asked.clear()
            for pause in pauses:
                await asyncio.sleep(pause)
                await self.survey(intake, urgent=pauses is AFTER_GAP_SECONDS)
                if self._asked.is_set():
                    break  # another gap has ended: begin anew
            else:
                self._missed_since = None

    def _patience(self, intake: Intake) -> float:
        """Say how long to wait for the next survey: not long while it is all that there is."""
        blind = intake.blind_since() is not None
        return min(self._every, BLIND_SECONDS) if blind else self._every

    async def survey(self, intake: Intake, *, urgent: bool = False) -> bool:
        """Compare everything once; whether all of it could be read."""
        urgency = Urgency.REPAIR if urgent else Urgency.SURVEY
        try:
            await self._observe(intake, urgency)
            await self._detail(intake, urgency, open_query)
            if self._missed_since is not None:
                since = max(self._missed_since, self._clock.now() - RETENTION) - BEFORE
                await self._detail(intake, urgency, partial(_begun, since))
        except PlatformError as error:
            self._failed(error)
            return False
        self._succeeded()
        self.surveys += 1
        self._news.set()
        return True

    async def _observe(self, intake: Intake, urgency: Urgency) -> None:
        queue_ids = self._queue_ids()
        for start in range(0, len(queue_ids), QUEUES_A_QUERY):
            body = observations_query(queue_ids[start : start + QUEUES_A_QUERY])
            await self._ask(intake, OBSERVATIONS, body, urgency)

    async def _detail(
        self, intake: Intake, urgency: Urgency, query: Callable[[int, datetime], bytes]
    ) -> None:
        for page in count(1):
            body = query(page, self._clock.now())
            found = await self._ask(intake, DETAILS, body, urgency)
            if len(found.conversations) < PAGE:
                return
            if page == MOST_PAGES:
                log.warning("survey_too_long", conversations=MOST_PAGES * PAGE)
                return

    async def _ask(self, intake: Intake, path: str, body: bytes, urgency: Urgency) -> _Paged:
        answer = await self._client.request("POST", path, body=body, urgency=urgency)
        intake.read(Reading(answer.body, answer.sent_at, answer.date))
        try:
            return msgspec.json.decode(answer.body, type=_Paged)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _Paged()  # what is wrong with it, the intake has said

    async def _read_forever(self, intake: Intake) -> None:
        while True:
            self._news.clear()
            wanted = intake.wanted(AT_ONCE)
            if wanted:
                read = await asyncio.gather(*(self._read(intake, each) for each in wanted))
                if not any(read):
                    await asyncio.sleep(REFUSED_SECONDS if self.problem else FAILED_SECONDS)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._news.wait()

    async def _read(self, intake: Intake, conversation_id: str) -> bool:
        """Read one conversation; whether that could be done."""
        try:
            answer = await self._client.request(
                "GET",
                CONVERSATION + conversation_id,
                urgency=Urgency.REPAIR,
                name=CONVERSATION + "{id}",
            )
        except PlatformError as error:
            intake.read_failed(conversation_id)
            self._failed(error)
            # That there is no such conversation is an answer, too.
            return error.fault is PlatformFault.NOT_FOUND
        self._succeeded()
        self.reads += 1
        queues = intake.read(Reading(answer.body, answer.sent_at, answer.date))
        if queues:
            self._missed(queues)
        return True

    def _succeeded(self) -> None:
        self.problem = None
        if self._failing:
            self._failing = False
            log.info("reads_again")

    def _failed(self, error: PlatformError) -> None:
        """Count it, and say it once until it is over."""
        self.failures[error.fault] += 1
        if error.fault is PlatformFault.NOT_FOUND:
            return
        if error.fault in FATAL:
            self.problem = str(error)
        if not self._failing:
            self._failing = True
            log.warning("reads_fail", fault=error.fault, problem=str(error))


def _begun(since: datetime, page: int, now: datetime) -> bytes:
    return begun_query(page, since, now)
