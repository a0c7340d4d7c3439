"""On a machine that listens: what its source hears goes into the input log, for others to track.

It is the `Intake` of its source. Frames are decoded here, with privacy, so the log holds no more of
people than the records do. What is about one conversation goes into its partition, in the order in
which it was heard; what is for everybody goes into each.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Literal

import structlog

from ringback.core.clocks import Clock as PlatformClock
from ringback.core.clocks import Skews
from ringback.core.events import rfc3339
from ringback.core.gaps import SOURCE, Ledger
from ringback.core.snapshots import QueueSettings, Snapshot
from ringback.core.surveys import Dividing
from ringback.core.watch.feed_kinds import Pulse
from ringback.errors import FrameError
from ringback.ports import Clock, InputLog, Reading, Source, StepLog, Wishes
from ringback.runtime.cluster.naming import Naming
from ringback.runtime.cluster.putting import MOST, Putting
from ringback.runtime.cluster.wishing import Wishing
from ringback.runtime.intake import RESTART, Quarantine, Recorder
from ringback.runtime.tasks import together
from ringback.wire.decode import Decoder
from ringback.wire.inputs import Gap, encode_gap, encode_pulse, encode_settings
from ringback.wire.log import (
    EVERYBODY,
    Alive,
    Beaten,
    Follows,
    Hearing,
    Message,
    ReadFailed,
    Seen,
    Settled,
    Surveyed,
    encode_message,
)
from ringback.wire.surveys import decode_survey

__all__ = ["STOPPED", "Listening", "last_heard"]

log = structlog.get_logger(__name__)

STOPPED = "listener stopped"
ALIVE_EVERY = 5.0
"""Seconds between two notes that it listens."""
OUT_OF_SIGHT = 600.0
"""Seconds after which trackers may have forgotten a listener that could not say anything."""
REPORTS = "~hearing"
"""The lane of what it says of itself."""


class Listening:
    """What one process hears, on its way into the input log."""

    def __init__(
        self,
        *,
        member: str,
        source: str,
        decoder: Decoder,
        inputs: InputLog,
        partitions: int,
        partition_of: Callable[[str], int],
        clock: Clock,
        quarantine: Quarantine,
        wishes: Wishes | None = None,
        record: Recorder | None = None,
        reads: bool = False,
        most: int = MOST,
    ) -> None:
        """`partition_of` says in which partition a conversation is.

        `reads` says whether the source can read conversations; `most` messages wait at the most.
        """
        self.decoder = decoder
        self.clock = clock
        self.source = source
        """The name of the source whose intake this is."""
        self.skews = Skews()
        self.frames: Counter[str] = Counter()
        """Frames by what they were."""
        self.heard_at: datetime | None = None
        """When the last frame came."""
        self.putting = Putting(inputs, most=most)
        self.room = self.putting.room
        """Wait until another frame can be taken."""
        self._member = member
        self._partitions = range(partitions)
        self._partition_of = partition_of
        self._quarantine = quarantine
        self._wishes = wishes
        self.suspect: Callable[[frozenset[str]], None] | None = None
        """Told of queues of which frames are lost though no gap is known, if it is there."""
        self._record = record
        self._reads = reads
        self._started_at = clock.now()
        self._ledger = Ledger()
        """What this listener alone does not hear."""
        self._followed: Sequence[str] | None = None
        self._pulse: Pulse | None = None
        self._dividing = Dividing()
        time = asyncio.get_running_loop().time
        self._time = time
        self._naming = Naming(time, f"{member}/{self._started_at.timestamp()}")
        self._wishing = Wishing(time)
        self._heard = 0
        self._undecodable = 0
        self._spoke_at: float | None = None
        """When it last got a word in, on the loop's clock."""
        self._ended_at: datetime | None = None

    @property
    def pending_since(self) -> float | None:
        """Since when something waits to be stored, on the loop's clock."""
        return self.putting.pending_since

    @property
    def hears(self) -> bool:
        """Whether it hears all that its source has."""
        return self._ledger.hears_all(self.source)

    # What sources call

    def frame(self, frame: bytes | str) -> None:
        """Take one frame; whatever is wrong with it, the next one is taken too."""
        now = self.heard_at = self.clock.now()
        if self._record is not None:
            self._record(now, frame, "frame")
        try:
            decoded = self.decoder.decode(frame)
        except FrameError as error:
            self.frames[error.fault] += 1
            self._undecodable += 1
            self._quarantine.put(frame, error, now)
            return
        if not isinstance(decoded, Snapshot):
            self.frames[type(decoded).__name__.lower()] += 1
            return
        self._heard += 1
        key, body = decoded.conversation_id, encode_message(Seen(decoded))
        # Topics of two shapes show each its own side of a conversation, in no order.
        about = f"{key}/{decoded.shows_voice}"
        name = self._naming.again(about, body)
        self.frames["repeated" if name is None else "snapshot"] += 1
        if name is not None:
            self.putting.bring(self._partition_of(key), key, key, body, name, about=about)

    def connected(self, topics: Collection[str] = ()) -> None:
        """Note that the source hears."""
        now = self.clock.now()
        log.info("source_hears", source=self.source, topics=len(topics) or "all")
        self._ledger.connected(self.source, topics, now, lambda _: 0)
        self._report("connected", topics=topics)

    def disconnected(
        self, cause: str, since: datetime | None = None, topics: Collection[str] = ()
    ) -> None:
        """Note that the source is blind."""
        now, cause = self.clock.now(), str(cause)
        if since is None:
            since = now if self._ledger.ever_heard(self.source) else self._started_at
        log.warning(
            "source_blind",
            source=self.source,
            cause=cause,
            topics=len(topics) or "all",
            since=rfc3339(since),
        )
        self._ledger.disconnected(self.source, cause, since, topics, now)
        self._report("disconnected", cause, since, topics)

    def blind_since(self) -> datetime | None:
        """Say when the earliest gap of this listener began that still lasts."""
        return min((gap.since for gap in self._ledger.open_gaps()), default=None)

    def read(self, reading: Reading) -> frozenset[str]:
        """Take the answer of a REST read.

        What it shows of lost frames is not known here, but where the conversation is tracked.
        """
        now = self.clock.now()
        if self._record is not None:
            self._record(now, reading.body, "read", reading)
        try:
            self._take_reading(reading, now)
        except FrameError as error:
            self.frames[error.fault] += 1
            self._quarantine.put(reading.body, error, now)
        else:
            self.frames["read"] += 1
        return frozenset()

    def read_failed(self, conversation_id: str) -> None:
        """Note that a wanted read failed."""
        self._put(conversation_id, ReadFailed(conversation_id))

    def wanted(self, limit: int) -> Sequence[str]:
        """Give the conversations that trackers want to be read by this listener."""
        return self._wishing.take(limit)

    def beats(self, pulse: Pulse) -> None:
        """Note how the source is, if that is news."""
        if pulse == self._pulse:
            return
        self._pulse = pulse
        if self._record is not None:
            self._record(self.clock.now(), encode_pulse(self.source, pulse), "pulse")
        self._put_all(Beaten(self._member, pulse))

    def follows(self, queue_ids: Collection[str]) -> None:
        """Note which queues are listened to."""
        self._followed = sorted(queue_ids)
        self._put_all(Follows(self._member, self._followed))

    def settings(self, settings: QueueSettings) -> None:
        """Take in a queue's settings."""
        if self._record is not None:
            self._record(self.clock.now(), encode_settings(settings), "settings")
        body = encode_message(Settled(settings))
        lane = f"~queue/{settings.queue_id}"
        name = self._naming.again(lane, body)
        if name is not None:
            for partition in self._partitions:
                once = f"{name}.{partition}"
                self.putting.bring(partition, lane, EVERYBODY, body, once, about=lane)

    # What the rest of the runtime calls

    def resume(self, heard_until: datetime | None = None) -> None:
        """Begin: whatever this member's former life said, it hears nothing yet.

        `heard_until` is when the source was last known to hear, through whichever listener: what
        has begun and ended since is to be looked for.
        """
        if heard_until is not None:
            now = self.clock.now()
            self._ledger.disconnected(self.source, RESTART, heard_until, (), now)
        self._report("disconnected", RESTART)

    async def listen(self, source: Source) -> None:
        """Run the source until cancelled. One that has said all it has to say is no failure."""
        running = asyncio.create_task(source.run(self), name="source")
        try:
            await asyncio.shield(running)
            log.info("source_ended", source=source.name)
            await asyncio.Event().wait()
        finally:
            # What comes while connections are closed is not heard.
            self._ended_at = self.clock.now()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def run(self) -> None:
        """Store what is heard, and that anybody listens, until cancelled. Raises `StoreError`."""
        works = [self.putting.run(), self._stay_alive()]
        if self._wishes is not None:
            works += [self._hear_wishes(self._wishes), self._hear_suspicions(self._wishes)]
        await together(*works)

    async def finish(self) -> None:
        """See that all that was heard is stored, then say that no more will be."""
        ended_at = self._ended_at or self.clock.now()
        try:
            await self.putting.all_stored()
            self._report("disconnected", STOPPED, ended_at)
            await self.putting.all_stored()
        finally:
            if len(self.putting):
                log.error("heard_and_not_stored", messages=len(self.putting))

    async def _stay_alive(self) -> None:
        while True:
            self._say_alive()
            await asyncio.sleep(ALIVE_EVERY)

    def _say_alive(self) -> None:
        """Say that it listens, once the last word is in: while the engine is away they add up."""
        if self.putting.waits(REPORTS):
            return
        now = self._time()
        if self._spoke_at is not None and now - self._spoke_at > OUT_OF_SIGHT:
            self._say_again()
        self._spoke_at = now
        heard, self._heard = self._heard, 0
        undecodable, self._undecodable = self._undecodable, 0
        # Who waits too long for this takes it for dead.
        self._put_all(Alive(self._member, heard, undecodable), urgent=True)

    def _say_again(self) -> None:
        """Say all that trackers have to know of this listener."""
        gaps = self._ledger.open_gaps()
        whole = next((gap for gap in gaps if not gap.topics), None)
        if whole is not None or not self._ledger.ever_heard(self.source):
            self._report("disconnected", whole.cause if whole else RESTART)
        else:
            self._report("connected")
            for gap in gaps:
                self._report("disconnected", gap.cause, gap.since, gap.blind)
        if self._followed is not None:
            self._put_all(Follows(self._member, self._followed))

    async def _hear_wishes(self, wishes: Wishes) -> None:
        async for conversation_ids in wishes.follow():
            self._wishing.add(conversation_ids)

    async def _hear_suspicions(self, wishes: Wishes) -> None:
        async for queue_ids in wishes.suspicions():
            if self.suspect is not None:
                self.suspect(frozenset(queue_ids))

    def _take_reading(self, reading: Reading, now: datetime) -> None:
        """Put what a REST answer says. Raises `FrameError`."""
        if reading.date is not None:
            self.skews.notice(PlatformClock.CLOUD, reading.date, now)
        ahead = self.skews.ahead(PlatformClock.CLOUD, now)
        survey = decode_survey(reading.body, reading.sent_at, ahead)
        if survey is not None:
            for partition, part in self._dividing.divide(survey, self._partition_of).items():
                body = encode_message(Surveyed(part, reading.date))
                self.putting.bring(partition, "~survey", EVERYBODY, body, self._naming.once())
            return
        decoded = self.decoder.decode(reading.body, reading.sent_at)
        if isinstance(decoded, Snapshot):
            self._put(decoded.conversation_id, Seen(decoded, reading.date))

    def _put(self, conversation_id: str, message: Message) -> None:
        partition = self._partition_of(conversation_id)
        body = encode_message(message)
        self.putting.bring(partition, conversation_id, conversation_id, body, self._naming.once())

    def _put_all(self, message: Message, *, bars: bool = False, urgent: bool = False) -> None:
        """Put into every partition, after what was put so before."""
        body, name = encode_message(message), self._naming.once()
        for partition in self._partitions:
            once = f"{name}.{partition}"
            self.putting.bring(partition, REPORTS, EVERYBODY, body, once, bars=bars, urgent=urgent)

    def _report(
        self,
        state: Literal["connected", "disconnected"],
        cause: str = "unknown",
        since: datetime | None = None,
        topics: Collection[str] = (),
    ) -> None:
        """Tell what is heard, before anything that is heard from now on."""
        self._ledger.unsaved()  # it is nobody's but this process's
        if self._record is not None:
            gap = Gap(self.source, state, cause, since, list(topics), self._reads)
            self._record(self.clock.now(), encode_gap(gap), "gap")
        self._put_all(
            Hearing(self._member, state, cause, since, list(topics), self._reads), bars=True
        )


async def last_heard(steps: StepLog, source: str) -> datetime | None:
    """Look up when the source was last known to hear, through whichever listener."""
    key = SOURCE + source
    found = await steps.history(0, key, 1)
    ledger = Ledger()
    ledger.restore((key, step.row.state) for step in found if step.row.state is not None)
    return ledger.heard_until(source)
