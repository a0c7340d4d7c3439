"""What is known elsewhere, here: every row as trackers have left it, and the journal they tell.

A mirror loads the last step of each row and follows the log. It decides nothing: what people do is
put into the log of inputs, where a tracker takes it, and is seen when its step comes back.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import structlog

from ringback.core.asides import is_aside
from ringback.core.gaps import Gap
from ringback.core.tracker import Tracker
from ringback.core.watch.adoption import ROW as RULES
from ringback.core.watch.rules import RuleSet
from ringback.core.watch.silences import SILENCE, Matcher, Silence
from ringback.errors import EngineSilent, FrameError, StoreError
from ringback.ports import Clock, Entry, InputLog, Step, StepLog
from ringback.runtime.cluster.asides import SPEAKER, concerns, speaks
from ringback.runtime.cluster.checkpoint import CHECKPOINT, decode_checkpoint
from ringback.runtime.cluster.gaps import PartedGaps
from ringback.runtime.cluster.retelling import Retelling
from ringback.runtime.desk import Freshness
from ringback.runtime.tuning import restoring
from ringback.wire.inputs import (
    Acknowledge,
    BeginSilence,
    Deed,
    EndSilence,
    MatcherText,
    Ruling,
    encode_deed,
    rules_of,
)
from ringback.wire.log import EVERYBODY, Done, encode_message
from ringback.wire.steps import step_at

__all__ = ["LOST", "Mirror"]

PATIENCE = 2.0
"""Seconds that somebody who has done something waits for it to be seen."""
LOST = 5.0
"""Seconds without a word from the log after which what is shown is of the past."""
QUIET = 20.0
"""Seconds without a step of a partition after which nobody can be tracking it.

Trackers note every five seconds that they hear, and know after fifteen that nobody does.
"""

log = structlog.get_logger(__name__)


class Mirror:
    """The `Desk` of a process that does not track, and the `Past` that goes with it."""

    def __init__(
        self,
        *,
        tracker: Tracker,
        steps: StepLog,
        inputs: InputLog,
        clock: Clock,
        source: str,
        partitions: int,
        partition_of: Callable[[str], int],
        patience: float = PATIENCE,
    ) -> None:
        """`partition_of` says in which partition a conversation is."""
        self.tracker = tracker
        self.clock = clock
        self.source = source
        """The name of the source that all listeners are part of."""
        self.kept: dict[str, bytes] = {}
        """The rows of receivers, as whoever tells them has left them."""
        self._steps = steps
        self._inputs = inputs
        self._partitions = partitions
        self._partition_of = partition_of
        self._patience = patience
        self._parted = PartedGaps()
        self._past = Retelling(steps, self._place)
        self._newer: dict[tuple[int, str], int] = {}
        """Rows that were loaded as of later than where following began, and their sequences."""
        self._following: AsyncIterator[Sequence[Step]] | None = None
        self._advanced = asyncio.Condition()
        self._awaited: dict[tuple[int, str], int] = {}
        """Rows that are to come back, and the input that they must have dealt with."""
        self._asked: dict[tuple[int, str], int] = {}
        """Rows about which something is being put, and what they have dealt with meanwhile."""
        self._heard_at = 0.0
        """When the log last said anything, on the loop's clock."""
        self._stepped_at = [0.0] * partitions
        """When each partition last made a step."""
        self._last_known = 0
        """The sequence of the log's last step, as far as it was asked."""
        self._passed = 0
        """Up to here there is nothing more to be shown: trackers' own notes are not."""

    @property
    def loaded(self) -> bool:
        """Whether all that there was is known."""
        return self._following is not None

    @property
    def position(self) -> int:
        """Of the last committed journal entry that was followed."""
        return self._past.position

    # How it gets to know

    async def load(self) -> None:
        """Take over what there is, and follow until nothing of it is ahead of the journal."""
        begin = last = await self._steps.position()
        with restoring():
            async for chunk in self._steps.load():
                for step in chunk:
                    self._show(step)
                    if step.sequence > begin:
                        self._newer[step.partition, step.row.conversation_id] = step.sequence
                        last = max(last, step.sequence)
                await asyncio.sleep(0)
        self._past.begin(begin)
        now = asyncio.get_running_loop().time()
        self._heard_at, self._stepped_at = now, [now] * self._partitions
        following = self._steps.follow(begin)
        while self._past.sequence < last:
            await self._take(await anext(following))
        self._following = following
        self._last_known = last
        self._newer.clear()
        log.info("mirrored", conversations=len(self.tracker.conversations), position=self.position)

    async def follow_forever(self) -> None:
        """Follow the log, from where it was loaded, until cancelled.

        Raises `PositionGone` when it was not followed for so long that there would be a hole.
        """
        assert self._following is not None  # noqa: S101  # it is loaded before
        async for chunk in self._following:
            await self._take(chunk)

    async def measure_forever(self, every: float = LOST) -> None:
        """Ask now and then how far the log is, so that it is known how far this is behind."""
        while True:
            with suppress(TimeoutError, StoreError):
                async with asyncio.timeout(every):
                    self._last_known = await self._steps.position()
            await asyncio.sleep(every)

    async def _take(self, chunk: Sequence[Step]) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if not chunk:
            self._passed = self._last_known
            return
        for step in chunk:
            key = (step.partition, step.row.conversation_id)
            if self._newer.get(key, 0) < step.sequence:
                self._show(step)
                self._newer.pop(key, None)
            self._past.take(step)
            if key in self._asked:
                self._asked[key] = step.reached
            if self._awaited.get(key, step.reached + 1) <= step.reached:
                del self._awaited[key]
            if step.partition < self._partitions:
                self._stepped_at[step.partition] = self._heard_at
        async with self._advanced:
            self._advanced.notify_all()

    def _show(self, step: Step) -> None:
        """Replace a row, if it is one that counts."""
        key, state = step.row.conversation_id, step.row.state
        if step.partition >= self._partitions:
            if state is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = state
            return
        if is_aside(key) and not speaks(step.partition, key):
            self._parted.mirror(step.partition, key, state)
            return
        if key == RULES:
            self._show_rules(state)
        elif key == CHECKPOINT:
            self._show_clocks(state)
        else:
            self.tracker.mirror(key, state, self.clock.now())

    def _show_rules(self, packed: bytes | None) -> None:
        if packed is None or packed == self.tracker.rules.packed:
            return
        try:
            self.tracker.mirror_rules(rules_of(Ruling("", msgspec.Raw(packed)), ZoneInfo))
        except FrameError as error:
            log.warning("rules_unknown", problem=str(error))

    def _show_clocks(self, packed: bytes | None) -> None:
        """Know of the platform's clocks what trackers know."""
        with suppress(StoreError):  # of a later version
            self.tracker.skews.restore(decode_checkpoint(packed or b"\x90").skews)

    # How far it can be relied on

    @property
    def behind(self) -> int:
        """How many steps of the log were not followed yet, as of when that was last asked."""
        return max(0, self._last_known - max(self._past.sequence, self._passed))

    @property
    def silent_seconds(self) -> float:
        """How long the log has said nothing, not even that there is no news."""
        return asyncio.get_running_loop().time() - self._heard_at

    def quiet(self) -> list[int]:
        """Give the partitions that make no steps, though trackers would."""
        now = asyncio.get_running_loop().time()
        return [one for one, at in enumerate(self._stepped_at) if now - at > QUIET]

    def freshness(self, source: str) -> Freshness:
        """Say how fresh a source is: not at all while nothing of it gets here."""
        ledger, feed = self.tracker.repair.ledger, self.tracker.feeds.feeds.get(source)
        hears, blind_since = ledger.hears_all(source), ledger.blind_since(source)
        now = asyncio.get_running_loop().time()
        silent = max(now - min(self._stepped_at), self.silent_seconds)
        if self.silent_seconds > LOST or self.quiet():
            since = self.clock.now() - timedelta(seconds=silent)
            hears, blind_since = False, min(since, blind_since or since)
        return Freshness(hears, blind_since, None if feed is None else feed.heard_at)

    def gaps(self, source: str) -> list[Gap]:
        """Give the gaps of a source, oldest first."""
        return self._parted.summed(self.tracker.repair.ledger.of(source))

    def gaps_about(self, conversation_id: str) -> list[Gap]:
        """Give the gaps that may have touched a conversation, oldest first."""
        partition = self._partition_of(conversation_id)
        return [
            gap for gap in self.tracker.repair.ledger.gaps.values() if concerns(partition, gap.id)
        ]

    # What readers need

    async def advanced(self, after: int) -> None:
        """Wait until the journal is beyond `after`."""
        async with self._advanced:
            await self._advanced.wait_for(lambda: self.position > after)

    async def committed(self) -> None:
        """Wait until what was done here has come back, or for long enough."""
        awaited = dict(self._awaited)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience), self._advanced:
                await self._advanced.wait_for(lambda: not awaited.items() & self._awaited.items())
        for key, sequence in awaited.items():
            if self._awaited.get(key) == sequence:
                del self._awaited[key]

    async def reaches(self, position: int) -> bool:
        """Whether the journal has come to a position, be it elsewhere for now.

        While the log cannot be asked, whoever was told of a position is believed.
        """
        step = step_at(position)
        if step <= max(self._past.sequence, self._last_known):
            return True
        with suppress(TimeoutError, StoreError):
            async with asyncio.timeout(self._patience):
                self._last_known = await self._steps.position()
                return step <= self._last_known
        return True

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Give at most `limit` entries that follow `after`. Raises `PositionGone`."""
        return await self._past.read(after, limit)

    async def history(self, subject: str, limit: int) -> Sequence[Entry]:
        """Give the last `limit` entries about one subject that are kept, oldest first."""
        try:
            async with asyncio.timeout(self._patience):
                return await self._past.history(subject, limit)
        except (TimeoutError, StoreError):
            raise EngineSilent("what was told before cannot be read") from None

    # What people do

    async def acknowledge(self, alert_id: str, by: str) -> None:
        """Note who has seen that an alert is firing. Raises `AlertError` and `EngineSilent`."""
        if self.tracker.alerts.firing(alert_id).acknowledged_by is not None:
            return
        key = self.tracker.alerts.row_of(alert_id)
        if is_aside(key):
            await self._do(Acknowledge(alert_id, by), SPEAKER, EVERYBODY, key)
        else:
            await self._do(Acknowledge(alert_id, by), self._partition_of(key), key, key)

    async def silence(
        self, matchers: Sequence[Matcher], until: datetime, by: str, comment: str
    ) -> Silence:
        """Let nobody be told of some alerts for a while.

        Raises `SilenceRefused` and `EngineSilent`.
        """
        now = self.clock.now()
        self.tracker.silences.refuse(matchers, until, now)
        silence = Silence(_name(now), tuple(matchers), now, until, by, comment)
        texts = [MatcherText(one.field, one.value, one.prefix) for one in matchers]
        deed = BeginSilence(texts, until, by, comment, silence.id)
        await self._do(deed, SPEAKER, EVERYBODY, SILENCE + silence.id)
        return silence

    async def end_silence(self, silence_id: str, by: str) -> None:
        """End a silence before its time. Raises `SilenceUnknown` and `EngineSilent`."""
        silence = self.tracker.silences.get(silence_id)
        await self._do(EndSilence(silence_id, by), SPEAKER, EVERYBODY, SILENCE + silence.id)

    async def adopt(self, rules: RuleSet, by: str) -> None:
        """Put other rules in force everywhere, and see it done. Raises `EngineSilent`."""
        if rules.packed == self.tracker.rules.packed:
            return
        deed = Ruling(by, msgspec.Raw(rules.packed))
        # What is shown changes last.
        for partition in reversed(range(self._partitions)):
            await self._do(deed, partition, EVERYBODY, RULES)
        await self.committed()

    async def _do(self, deed: Deed, partition: int, key: str, row: str) -> None:
        """Put a deed into the log of inputs; `row` is to come back of it."""
        body, once = encode_message(Done(encode_deed(deed))), f"d:{secrets.token_hex(12)}"
        self._asked[partition, row] = 0
        try:
            async with asyncio.timeout(self._patience):
                sequence = await self._inputs.put(partition, key, body, once)
        except (TimeoutError, StoreError) as error:
            log.warning("deed_not_taken", partition=partition, problem=str(error))
            said = "what was asked for may be done all the same, so look before asking again"
            raise EngineSilent(said) from None
        finally:
            dealt_with = self._asked.pop((partition, row), 0)
        # It may be back before the log has said that it is there.
        if dealt_with < sequence and (partition == SPEAKER or row == key):
            self._awaited[partition, row] = sequence

    def _place(self, subject: str) -> tuple[int, str]:
        """Say in which partition and row a subject is told of."""
        found = self.tracker.conversations.find(subject)
        key = subject if found is None else found[0].id
        return self._partition_of(key), key


def _name(now: datetime) -> str:
    """Name a silence by its instant, and apart from what is begun elsewhere at that instant."""
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{secrets.token_hex(3)}"
